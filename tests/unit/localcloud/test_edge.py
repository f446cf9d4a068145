from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from localcloud import edge
from localcloud.edge import Listener
from localcloud.layout import Layout
from longshore.errors import Precondition

REDIRECT = {
    "Port": 8080,
    "Protocol": "HTTP",
    "DefaultActions": [
        {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "8443", "StatusCode": "HTTP_301"}}
    ],
}
FORWARD = {"Port": 8443, "Protocol": "HTTPS", "DefaultActions": [{"Type": "forward", "TargetGroupArn": "arn:group"}]}

POLICY = {
    "SslProtocols": ["TLSv1.3", "TLSv1.2"],
    "Ciphers": [
        {"Name": "TLS_AES_128_GCM_SHA256", "Priority": 1},
        {"Name": "ECDHE-RSA-AES128-GCM-SHA256", "Priority": 2},
    ],
}
ATTRIBUTES = {"idle_timeout.timeout_seconds": "90", "routing.http.drop_invalid_header_fields.enabled": "true"}
SECURE = Listener(
    port=8443,
    protocol="HTTPS",
    target=30080,
    names=("shop.localhost",),
    protocols=("TLSv1.2", "TLSv1.3"),
    ciphers=("TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    idle=90,
)


def test_listeners_become_what_they_say() -> None:
    assert edge.listener(REDIRECT, {}, [], {}, ATTRIBUTES) == Listener(
        port=8080, protocol="HTTP", redirect="https:8443:301"
    )
    found = edge.listener(FORWARD, {"arn:group": 30080}, ["shop.localhost", "shop.localhost"], POLICY, ATTRIBUTES)
    assert found == SECURE


def test_a_rule_sends_the_host_that_it_names_to_another_port(layout: Layout) -> None:
    rules = [
        {"IsDefault": True, "Priority": "default", "Conditions": [], "Actions": FORWARD["DefaultActions"]},
        rule("2", "review-2.shop.localhost", "arn:two"),
        rule("1", "review-1.shop.localhost", "arn:one"),
    ]
    found = edge.by_host(rules, {"arn:group": 30080, "arn:one": 30081, "arn:two": 30082})
    assert found == (("review-1.shop.localhost", 30081), ("review-2.shop.localhost", 30082))
    text = edge.configuration(layout, [replace(SECURE, hosts=found)])
    assert text.count("listen 127.0.0.1:8443 ssl;") == 3
    assert [line.strip() for line in text.splitlines() if "server_name " in line] == [
        "server_name review-1.shop.localhost;",
        "server_name review-2.shop.localhost;",
    ]
    assert "server 198.19.0.6:30082; keepalive 64;" in text
    assert text.index("30080") < text.index("30081"), "nginx sends a host that no rule names to the first"
    assert text.count("{") == text.count("}")


def test_several_nodes_get_requests_unless_they_are_unhealthy_and_all_of_them_if_all_are(second: Layout) -> None:
    text = edge.configuration(second.nodes[0], [SECURE])
    one, other = "server 198.19.0.6:30080 max_fails=0; ", "server 198.19.0.10:30080 max_fails=0; "
    groups = dict(re.findall(r"upstream app-8443-30080(\S*) { ((?:server \S+ max_fails=0; )+)keepalive", text))
    assert groups == {"": one + other, "-1": one, "-2": other, "-1-2": one + other}
    assert "proxy_pass http://app-8443-30080$healthy;" in text
    checks = re.findall(r'if \(-f "(.*)-(.)"\) { set \$healthy "(.*)"; }', text)
    assert checks == [(f"{second.unhealthy}/30080", "1", "-2"), (f"{second.unhealthy}/30080", "2", "-1$healthy")]
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize(
    ("conditions", "kind"),
    [
        ([{"Field": "path-pattern", "Values": ["/a"]}], "forward"),
        ([{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.shop.localhost"]}}], "forward"),
        ([{"Field": "host-header", "HostHeaderConfig": {"Values": ["a.localhost"]}}], "fixed-response"),
    ],
)
def test_a_rule_that_the_edge_cannot_follow_is_refused(conditions: list[dict[str, object]], kind: str) -> None:
    given = {"Priority": "1", "Conditions": conditions, "Actions": [{"Type": kind, "TargetGroupArn": "arn:one"}]}
    with pytest.raises(Precondition, match="rule 1"):
        edge.by_host([given], {"arn:one": 30081})


def rule(priority: str, host: str, group: str) -> dict[str, object]:
    conditions = [{"Field": "host-header", "HostHeaderConfig": {"Values": [host]}}]
    return {"Priority": priority, "Conditions": conditions, "Actions": [{"Type": "forward", "TargetGroupArn": group}]}


def test_a_load_balancer_that_names_no_rule_for_header_names_passes_all() -> None:
    assert not edge.listener(FORWARD, {"arn:group": 1}, [], {}, {"idle_timeout.timeout_seconds": "60"}).strict


def test_a_redirect_names_the_port_unless_it_is_the_usual_one(layout: Layout) -> None:
    other = edge.configuration(layout, [Listener(port=8080, protocol="HTTP", redirect="https:8443:301")])
    usual = edge.configuration(layout, [Listener(port=80, protocol="HTTP", redirect="https:443:302")])
    assert "return 301 https://$host:8443$request_uri;" in other
    assert "return 302 https://$host$request_uri;" in usual


def test_requests_are_sent_on_once_and_over_kept_connections(layout: Layout) -> None:
    text = edge.configuration(layout, [SECURE])
    assert "server 198.19.0.6:30080; keepalive 64;" in text
    assert "proxy_next_upstream off;" in text
    assert "proxy_set_header Connection $upgrade;" in text
    assert 'map $websocket $upgrade { "" ""; default upgrade; }' in text
    assert text.count("{") == text.count("}")


def test_tls_is_what_the_listeners_policy_allows(layout: Layout) -> None:
    text = edge.configuration(layout, [SECURE])
    assert "listen 127.0.0.1:8443 ssl;" in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    assert "ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;" in text
    assert "ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;" in text
    assert "@" not in text


def test_the_edge_listens_on_loopback_alone(layout: Layout) -> None:
    text = edge.configuration(
        layout,
        [
            Listener(port=8443, protocol="HTTPS", target=30080),
            Listener(port=8080, protocol="HTTP", redirect="https:8443:301"),
        ],
    )
    assert text.count("listen ") == text.count("listen 127.0.0.1:") == 2


def test_the_ports_are_those_of_the_written_configuration(layout: Layout) -> None:
    assert edge.ports(layout) == []
    layout.state.mkdir(parents=True)
    (layout.state / "edge.conf").write_text(
        edge.configuration(layout, [Listener(port=8443, protocol="HTTPS", target=1)])
    )
    assert edge.ports(layout) == [8443]
    assert not edge.ready(layout)


EVIL = "443; } } user root; #"
REDIRECTING = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "8443", "StatusCode": "HTTP_301"}}
INJECTED: dict[str, dict[str, object]] = {
    "redirect's port": {"redirect": f"https:{EVIL}:301"},
    "redirect's port on a new line": {"redirect": "https:443\n:301"},
    "redirect's status": {"redirect": f"https:443:{EVIL}"},
    "redirect's status code": {"redirect": "https:443:200"},
    "redirect's scheme": {"redirect": f"{EVIL}:443:301"},
    "redirect's port 0": {"redirect": "https:0:301"},
    "port": {"port": EVIL},
    "port 70000": {"port": 70000},
    "protocol": {"protocol": EVIL},
    "target": {"target": EVIL},
    "TLS protocol": {"protocols": ("TLSv1.2", EVIL)},
    "cipher": {"ciphers": (EVIL,)},
    "cipher with a line break": {"ciphers": ("ECDHE-RSA-AES128-GCM-SHA256\n",)},
    "host": {"hosts": ((EVIL, 30081),)},
    "host's port": {"hosts": (("a.localhost", EVIL),)},
    "idle time": {"idle": EVIL},
    "idle time 0": {"idle": 0},
}


@pytest.mark.parametrize("what", INJECTED)
def test_what_no_load_balancer_takes_never_reaches_the_configuration(layout: Layout, what: str) -> None:
    with pytest.raises(Precondition, match="no load balancer takes"):
        edge.configuration(layout, [replace(SECURE, **INJECTED[what])])


@pytest.mark.parametrize(
    "config",
    [
        {"Port": EVIL},
        {"Port": "#{port}"},
        {"StatusCode": "HTTP_200; }"},
        {"Protocol": "#{protocol}"},
        {"Protocol": "X"},
    ],
)
def test_a_redirect_that_the_edge_cannot_serve_is_named(layout: Layout, config: dict[str, str]) -> None:
    action = {**REDIRECTING, "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301", **config}}
    with pytest.raises(Precondition, match="8080"):
        edge.configuration(layout, [edge.listener({**REDIRECT, "DefaultActions": [action]}, {}, [], {}, ATTRIBUTES)])
