"""The edge with real nginx refuses what the load balancer's web ACL refuses in AWS, and our own clients get through."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from localcloud import edge
from localcloud.web_acl import BODY, CORE, PATTERNS, Rate, WebAcl
from longshore.rollout import verify, web_acl
from longshore.rollout.probe import Probe
from tests.integration.aws_process import AwsProcess
from tests.integration.balancers import balance
from tests.integration.edges import HOST, IDLE, Edge, making, serving
from tests.smoke import test_smoke

PAGE = (
    b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n"
    b"<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n"
)
AGENT = {"User-Agent": "curl/8"}
EVERY_RULE = WebAcl(rules=(*PATTERNS, BODY))
LIMIT = 2000  # of terraform/variables.tf, in five minutes


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Edge]]:
    with serving() as target, making(tmp_path_factory.mktemp, target) as new:
        yield new


@pytest.fixture(scope="module")
def guarded(make: Callable[[], Edge]) -> Edge:
    new = make()
    new.serve(acl=EVERY_RULE)
    return new


class Client:
    """A connection to an edge from ADDRESS, with no header but those that a test gives."""

    def __init__(self, to: Edge, address: str = "127.0.0.1") -> None:
        context = ssl.create_default_context(cafile=str(to.layout.edge_ca))
        plain = socket.create_connection(("127.0.0.1", to.port), timeout=10, source_address=(address, 0))
        self.connection = http.client.HTTPConnection(HOST, to.port)
        self.connection.sock = context.wrap_socket(plain, server_hostname=HOST)

    def ask(
        self, path: str = "/asked", headers: dict[str, str] | None = None, method: str = "GET", body: Any = None
    ) -> tuple[int, bytes]:
        """Return status and body of the answer."""
        self.connection.request(method, path, body=body, headers=headers or {}, encode_chunked=True)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def ask(to: Edge, *words: Any, **more: Any) -> tuple[int, bytes]:
    with contextlib.closing(Client(to).connection) as connection:
        client = Client.__new__(Client)
        client.connection = connection
        return client.ask(*words, **more)


@pytest.mark.parametrize("headers", [{}, {"User-Agent": ""}, {"User-Agent": "Nessus SOAP"}])
def test_no_user_agent_or_a_known_bad_one_is_a_403_with_the_page_of_a_load_balancer(
    guarded: Edge, headers: dict[str, str]
) -> None:
    assert ask(guarded, "/asked", headers) == (403, PAGE)
    assert ask(guarded, "/asked", AGENT)[0] == 200


@pytest.mark.parametrize(
    ("most", "more"),
    [
        ("/asked?" + "x" * 2048, "/asked?" + "x" * 2049),
        ("/asked/0?file=..", "/asked/0?file=../../etc/passwd"),
        ("/asked/0?name=a.log2", "/asked/0?name=a.log"),
        ("/asked/0?at=169.254.169", "/asked/0?at=http://169.254.169.254/latest"),
        ("/asked/0?text=script", "/asked/0?text=%3Cscript%3E"),
    ],
)
def test_what_a_rule_allows_passes_and_what_is_beyond_it_is_blocked(guarded: Edge, most: str, more: str) -> None:
    assert ask(guarded, most.strip(), AGENT)[0] == 200
    assert ask(guarded, more, AGENT) == (403, PAGE)


def test_a_path_of_1024_bytes_and_cookies_of_10240_are_the_most(guarded: Edge) -> None:
    path = "/asked/".ljust(1024, "0")
    assert ask(guarded, path, AGENT)[0] == 200
    assert ask(guarded, path + "0?a", AGENT) == (403, PAGE)
    assert ask(guarded, "/asked", AGENT | {"Cookie": "c=".ljust(10_240, "x")})[0] == 200
    assert ask(guarded, "/asked", AGENT | {"Cookie": "c=".ljust(10_241, "x")}) == (403, PAGE)


def test_a_body_of_8_kb_is_the_most_however_it_is_sent(guarded: Edge) -> None:
    assert ask(guarded, "/", AGENT, "POST", bytes(8192)) == (200, b"thanks")
    assert ask(guarded, "/", AGENT, "POST", bytes(8193)) == (403, PAGE)
    chunked = AGENT | {"Transfer-Encoding": "chunked"}
    assert ask(guarded, "/", chunked, "POST", iter([bytes(5000), bytes(5000)])) == (403, PAGE)


def test_the_targets_own_403_is_passed_on(guarded: Edge) -> None:
    status, body = ask(guarded, "/asked/403", AGENT)
    assert status == 403
    assert json.loads(body)["User-Agent"] == "curl/8"


def test_what_only_redirects_is_guarded_as_well(make: Callable[[], Edge]) -> None:
    new = make()
    new.serve(acl=EVERY_RULE)
    for headers, status in (({}, 403), (AGENT, 301)):
        connection = http.client.HTTPConnection("127.0.0.1", new.plain, timeout=5)
        connection.request("GET", "/", headers=headers)
        assert connection.getresponse().status == status
        connection.close()


def test_our_own_clients_pass(guarded: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    url, authority = f"https://{HOST}:{guarded.port}", guarded.layout.edge_ca
    assert verify.ask(url, "/asked", authority)[0] == 200
    with verify.Client(url, authority, kept=True) as client:
        assert client.get("/asked")[0] == 200
    probe = Probe(f"{url}/asked", str(authority), rate=50)

    async def run() -> None:
        running = asyncio.create_task(probe.run())
        await asyncio.sleep(0.5)
        probe.stopping = True
        await running

    asyncio.run(run())
    assert probe.sent > 5
    assert (probe.failed, probe.blocked) == ({}, 0)
    monkeypatch.setattr(test_smoke, "URL", url)
    context = ssl.create_default_context(cafile=str(authority))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", guarded.port))])
    answer = test_smoke.get("/asked", context)
    assert answer.status == 200
    assert json.loads(answer.body)["User-Agent"].startswith("longshore")


def test_the_default_rate_blocks_an_address_that_is_not_exempt_and_our_clients_say_so(make: Callable[[], Edge]) -> None:
    new = make()
    new.target = new.plain  # the edge's own redirect, since no target in Python answers thousands in seconds
    new.serve(acl=replace(EVERY_RULE, rates=(Rate(LIMIT, 300, ("127.0.0.2/32",)),)))
    assert flood(new, LIMIT + 20, "127.0.0.2") == {301: LIMIT + 20}, "exempt"
    answers = flood(new, LIMIT + LIMIT // 2)
    assert answers[301] >= LIMIT
    assert answers[403] > LIMIT // 4
    url = f"https://{HOST}:{new.port}"
    with pytest.raises(web_acl.Blocked, match="the web ACL of the load balancer"):
        often(lambda: verify.ask(url, "/asked", new.layout.edge_ca))


def flood(to: Edge, count: int, address: str = "127.0.0.1") -> Counter[int]:
    """Get COUNT answers at ADDRESS as fast as they come; return how often each status came.

    A connection has 250 requests at a time under way, and whoever serves them may end it before the last one.
    """
    request = f"GET /asked HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: curl/8\r\n\r\n".encode()
    statuses: Counter[int] = Counter()
    while (left := count - statuses.total()) > 0:
        connection = Client(to, address).connection.sock
        with connection, connection.makefile("rb") as answers:
            connection.sendall(request * min(left, 250))
            for _ in range(min(left, 250)):
                if not (line := answers.readline()):
                    break
                statuses[int(line.split()[1])] += 1
                headers = http.client.parse_headers(answers)
                answers.read(int(headers["Content-Length"]))
    return statuses


def often(act: Callable[[], Any]) -> None:
    """ACT more often than a limit lets through again meanwhile."""
    for _ in range(200):
        act()


def managed(**overrides: Any) -> dict[str, Any]:
    """Return a rule with AWS's core rule set, of which OVERRIDES only count."""
    only = [{"Name": name, "ActionToUse": {action: {}}} for name, action in overrides.items()]
    group = {"VendorName": "AWS", "Name": CORE, **({"RuleActionOverrides": only} if only else {})}
    return {
        "Name": "core",
        "Priority": 20,
        "OverrideAction": {"None": {}},
        "Statement": {"ManagedRuleGroupStatement": group},
        "VisibilityConfig": SEEN,
    }


SEEN = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "m"}


def test_the_edge_follows_the_web_acl_that_is_associated_in_aws(make: Callable[[], Edge]) -> None:
    follower = make()
    aws = AwsProcess(follower.layout.cluster_file.parent)
    aws.folder.mkdir()
    aws.port, aws.url = follower.layout.aws_port, follower.layout.aws_endpoint
    aws.cluster_file.write_text(json.dumps({"node": "127.0.0.1", "access_log": str(follower.layout.access_log)}))
    aws.start()
    try:
        balance(aws, follower.target)
        waf = aws.client("wafv2")
        (balancer,) = aws.client("elbv2").describe_load_balancers()["LoadBalancers"]

        attributes = [{"Key": "idle_timeout.timeout_seconds", "Value": "60"}]
        aws.client("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=balancer["LoadBalancerArn"], Attributes=attributes
        )

        def acl() -> WebAcl | None:
            (listener,) = edge.listeners(follower.layout)
            return listener.acl

        known = {"Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": SEEN}
        summary = waf.create_web_acl(Name="a", Rules=[managed()], **known)["Summary"]
        assert acl() is None
        waf.associate_web_acl(WebACLArn=summary["ARN"], ResourceArn=balancer["LoadBalancerArn"])
        assert acl() == WebAcl(rules=tuple(rule for rule in (*PATTERNS, BODY) if rule[0] == CORE))

        trusted = waf.create_ip_set(
            Name="trusted", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["198.51.100.0/24"]
        )["Summary"]["ARN"]
        scope = {"NotStatement": {"Statement": {"IPSetReferenceStatement": {"ARN": trusted}}}}
        statement = {"Limit": 100, "AggregateKeyType": "IP", "ScopeDownStatement": scope}
        rate = {"Name": "rate", "Priority": 1, "Statement": {"RateBasedStatement": statement}, "VisibilityConfig": SEEN}
        rules = [managed(SizeRestrictions_BODY="Count"), {**rate, "Action": {"Block": {}}}]
        waf.update_web_acl(Name="a", Id=summary["Id"], LockToken=summary["LockToken"], Rules=rules, **known)
        found = acl()
        assert found
        assert BODY not in found.rules
        assert (CORE, "NoUserAgent_HEADER") in found.rules
        assert found.rates == (Rate(100, 300, ("198.51.100.0/24",)),)
        follower.serve(idle=IDLE, acl=found)
        assert ask(follower, "/", AGENT, "POST", bytes(20_000)) == (200, b"thanks")
        assert ask(follower, "/asked")[0] == 403
    finally:
        aws.end(kill=True)
