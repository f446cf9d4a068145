"""The edge: nginx on loopback, serving what the load balancer's listeners in the local AWS say, as an ALB would."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from localcloud import confined, pki, web_acl
from localcloud.layout import Layout
from localcloud.listener import PROTOCOLS, require_plain
from localcloud.packages import SYSTEM_PATH
from localcloud.ports import answers, raced, require_free
from localcloud.web_acl import WebAcl
from longshore import aws
from longshore.errors import Precondition
from longshore.files import write_if_changed
from longshore.process.command import change
from longshore.process.runner import Runner

DEADLINE = 60.0  # seconds; below 1 on an idle machine, but on a first start gates and Terraform run beside it
PIECES = Path(__file__).with_name("nginx")


class Template(string.Template):
    """A template whose placeholders begin with @, since nginx's variables begin with a dollar sign."""

    delimiter = "@"


class Listener(Struct, frozen=True):
    """A load balancer's listener; it redirects to `redirect` ("https:8443:301") or forwards to NodePort `target`."""

    port: int
    protocol: str
    redirect: str = ""
    target: int = 0
    names: tuple[str, ...] = ()  # of its certificate
    protocols: tuple[str, ...] = ()  # of TLS, as OpenSSL and nginx name them
    ciphers: tuple[str, ...] = ()
    idle: int = 60  # seconds without a byte after which a connection is closed
    strict: bool = True  # whether request headers with other names than letters, digits and dashes are dropped
    acl: WebAcl | None = None  # of its load balancer
    hosts: tuple[tuple[str, int], ...] = ()  # those that rules send to other NodePorts than `target`


def ready(layout: Layout) -> bool:
    """Whether the edge serves, with certificates that last; whether the listeners have changed `start` finds out."""
    if not (confined.alive(layout, "edge") and pki.edge_is_fresh(layout) and _serves(layout)):
        return False
    return ("$healthy" in _config(layout).read_text()) == bool(layout.second)  # nodes come and go by the settings


def _serves(layout: Layout) -> bool:
    listening = ports(layout)
    return layout.daemon("edge").alive() and bool(listening) and all(answers("127.0.0.1", port) for port in listening)


def start(layout: Layout, runner: Runner) -> None:
    """Serve what the listeners in the local AWS say. Raises Precondition as `serve` does, or if there are none yet."""
    wanted = listeners(layout)
    if not wanted:
        hint = f"`invoke infra.apply -e {layout.environment}` creates it"
        raise Precondition("the local AWS has no load balancer yet", hint=hint)
    serve(layout, runner, wanted)


def serve(layout: Layout, runner: Runner, wanted: Sequence[Listener]) -> None:
    """Serve the listeners WANTED; a running edge is reloaded, and finishes what is open.

    Raises Precondition if a port is taken, or a listener says what no load balancer takes.
    """
    text, edge, before = configuration(layout, wanted), layout.daemon("edge"), ports(layout)
    if not edge.alive():
        edge.stop()  # a killed nginx leaves workers that keep the ports

    def require_ports() -> None:
        for listener in wanted:
            if not (edge.alive() and listener.port in before):
                variable = f"{PROTOCOLS[listener.protocol]}_port"
                setting = f"`{variable}` under [environments.{layout.environment}.variables]"
                require_free(listener.port, "the edge", setting)

    require_ports()
    names = [name for listener in wanted for name in listener.names]
    changed = pki.edge(layout, names or ["localhost"])
    changed |= write_if_changed(_config(layout), text)
    _hand_over(layout)
    if changed:
        edge.reload()
    nginx = ("nginx", "-e", "stderr", "-p", str(layout.run), "-c", str(_config(layout)))
    argv = confined.argv(layout, "edge", nginx, (layout.state, layout.run))
    command = change(*argv, env={"PATH": SYSTEM_PATH})
    with raced(require_ports):
        edge.start(runner, command, ready=lambda: _serves(layout), deadline=DEADLINE)


def _hand_over(layout: Layout) -> None:
    """Give nginx's user what it reads and writes: it has no access to root's files, as nginx's master usually has."""
    confined.passable(layout)
    for path in (_tls_folder(layout), layout.run / "edge"):
        confined.folder(layout, "edge", path)
    for name in ("edge.crt", "edge.key"):
        write_if_changed(_tls_folder(layout) / name, (layout.pki / name).read_bytes(), mode=0o600)
        confined.own(layout, "edge", _tls_folder(layout) / name)
    confined.log(layout, "edge", layout.logs / "edge-error.log")
    confined.log(layout, "edge", layout.access_log, reader="aws")
    confined.log(layout, "aws", layout.access_log.with_name(f"{layout.access_log.name}.1"))


def _tls_folder(layout: Layout) -> Path:
    return layout.state / "edge"


def listeners(layout: Layout) -> list[Listener]:
    """Return the listeners of all load balancers in the local AWS, by port: they are all this environment's."""
    balancing, certificates, waf = (_client(layout, service) for service in ("elbv2", "acm", "wafv2"))
    described = balancing.describe_target_groups()["TargetGroups"]
    groups = {group["TargetGroupArn"]: int(group["Port"]) for group in described}
    result = []
    for balancer in balancing.describe_load_balancers()["LoadBalancers"]:
        named = {"LoadBalancerArn": balancer["LoadBalancerArn"]}
        pairs = balancing.describe_load_balancer_attributes(**named)["Attributes"]
        attributes = {pair["Key"]: pair["Value"] for pair in pairs}
        acl = web_acl.of(waf, balancer["LoadBalancerArn"])
        for description in balancing.describe_listeners(**named)["Listeners"]:
            names: list[str] = []
            for reference in description.get("Certificates", ()):
                arn = reference["CertificateArn"]
                certificate = certificates.describe_certificate(CertificateArn=arn)["Certificate"]
                domain, status = certificate["DomainName"], certificate["Status"]
                if status != "ISSUED":
                    raise Precondition(f"the certificate of {domain} is not issued but {status.lower()}")
                names += [domain, *certificate.get("SubjectAlternativeNames", ())]
            policy = {}
            if description["Protocol"] == "HTTPS":
                (policy,) = balancing.describe_ssl_policies(Names=[description["SslPolicy"]])["SslPolicies"]
            rules = balancing.describe_rules(ListenerArn=description["ListenerArn"])["Rules"]
            found = listener(description, groups, names, policy, attributes)
            result.append(replace(found, acl=acl, hosts=by_host(rules, groups)))
    return sorted(result, key=lambda listener: listener.port)


def listener(
    description: dict[str, Any],
    groups: dict[str, int],
    names: Iterable[str],
    policy: dict[str, Any],
    attributes: dict[str, str],
) -> Listener:
    """Return the listener with AWS's DESCRIPTION.

    GROUPS has the port of each target group by its ARN; POLICY is the TLS policy, NAMES are those of the certificates,
    ATTRIBUTES the load balancer's.
    """
    action, port, protocol = description["DefaultActions"][0], int(description["Port"]), description["Protocol"]
    if action["Type"] == "redirect":
        to = action["RedirectConfig"]
        status = to["StatusCode"].removeprefix("HTTP_")
        return Listener(port, protocol, redirect=f"{to['Protocol'].lower()}:{to['Port']}:{status}")
    return Listener(
        port,
        protocol,
        target=groups[action["TargetGroupArn"]],
        names=tuple(dict.fromkeys(names)),
        protocols=tuple(sorted(policy.get("SslProtocols", ()))),
        ciphers=tuple(cipher["Name"] for cipher in policy.get("Ciphers", ())),
        idle=int(attributes["idle_timeout.timeout_seconds"]),
        strict=attributes.get("routing.http.drop_invalid_header_fields.enabled") == "true",
    )


def by_host(rules: Iterable[dict[str, Any]], groups: dict[str, int]) -> tuple[tuple[str, int], ...]:
    """Return the hosts that a listener's RULES name, by priority, each with the NodePort of its target group.

    Raises Precondition for a rule that asks for anything else: a load balancer would follow it.
    """
    found = []
    given = [rule for rule in rules if not rule.get("IsDefault")]
    for rule in sorted(given, key=lambda rule: int(rule["Priority"])):
        fields, kinds = [each["Field"] for each in rule["Conditions"]], [each["Type"] for each in rule["Actions"]]
        hosts = rule["Conditions"][0]["HostHeaderConfig"]["Values"] if fields == ["host-header"] else ()
        if kinds != ["forward"] or not hosts or any(set(host) & set("*?") for host in hosts):
            raise Precondition(
                f"the listener's rule {rule['Priority']} does not send whole host names to a target group",
                hint="the local edge knows no other rules; correct terraform/, then `invoke infra.apply`",
            )
        found += [(str(host), groups[rule["Actions"][0]["TargetGroupArn"]]) for host in hosts]
    return tuple(found)


def configuration(layout: Layout, wanted: Iterable[Listener]) -> str:
    """Return nginx's configuration for the listeners WANTED. Raises Precondition as `require_plain` does."""
    wanted = list(wanted)
    for listener in wanted:
        require_plain(asdict(listener))
    acls = {acl: f"acl{number}" for number, acl in enumerate(dict.fromkeys(each.acl for each in wanted if each.acl))}
    shared = "".join(web_acl.shared(name, acl) for acl, name in acls.items())
    servers = ""
    for each in wanted:
        acl = web_acl.within(acls[each.acl], each.acl) if each.acl else ""
        servers += _server(layout, each, acl)  # the first of a port: it gets the hosts that no rule names
        servers += "".join(_server(layout, replace(each, target=port), acl, host) for host, port in each.hosts)
    return _filled(
        "main", run=layout.run, logs=layout.logs, access_log=layout.access_log, shared=shared, servers=servers
    )


def _server(layout: Layout, listener: Listener, acl: str, host: str = "") -> str:
    if listener.redirect:
        scheme, port, status = listener.redirect.split(":")
        to = "" if port == {"https": "443", "http": "80"}[scheme] else f":{port}"
        return _filled("redirect", port=listener.port, status=status, scheme=scheme, to=to, acl=acl)
    scheme, ssl, tls = PROTOCOLS[listener.protocol], "", ""
    if scheme == "https":
        ssl, tls = " ssl", _tls(layout, listener)
    strict, lenient = ("on", "off") if listener.strict else ("off", "on")
    measured = listener.acl is not None and web_acl.BODY in listener.acl.rules
    target = {"target": listener.target, "idle": listener.idle, "acl": acl, **_targets(layout, listener)}
    target |= {"buffering": "on" if measured else "off", "name": f"    server_name {host};\n" if host else ""}
    return _filled(
        "forward", port=listener.port, scheme=scheme, ssl=ssl, tls=tls, strict=strict, lenient=lenient, **target
    )


def _targets(layout: Layout, listener: Listener) -> dict[str, str]:
    """Return the nodes that a listener sends to; of several, the health that the local AWS finds decides which."""
    name, health, numbers = f"{listener.port}-{listener.target}", {"health": "", "healthy": ""}, [""]
    if layout.second:
        text = _filled("health", unhealthy=layout.unhealthy, target=listener.target)
        health, numbers = {"health": text, "healthy": "$healthy"}, ["", "-1", "-2", "-1-2"]
    upstreams = ""
    for chosen in numbers:
        nodes = [node for node in layout.nodes if not chosen or f"-{node.number}" in chosen]
        # nginx would leave one of several out after a failure; a load balancer does after failed checks alone.
        option = " max_fails=0" if layout.second else ""
        servers = "".join(f"server {node.node_ip}:{listener.target}{option}; " for node in nodes)
        upstreams += _filled("upstream", name=f"{name}{chosen}", servers=servers, idle=listener.idle)
    return {"upstreams": upstreams, **health}


def _tls(layout: Layout, listener: Listener) -> str:
    """Return the certificate and what the listener's TLS policy allows; nginx takes TLS 1.3 ciphers separately."""
    suites = [name for name in listener.ciphers if name.startswith("TLS_")]
    ciphers = ":".join(name for name in listener.ciphers if name not in suites)
    protocols = " ".join(listener.protocols)
    return _filled("tls", pki=_tls_folder(layout), protocols=protocols, ciphers=ciphers, suites=":".join(suites))


def _filled(piece: str, **values: object) -> str:
    return Template((PIECES / f"{piece}.conf").read_text()).substitute(values)


def _config(layout: Layout) -> Path:
    return layout.state / "edge.conf"


def ports(layout: Layout) -> list[int]:
    """Return the ports that the edge is configured to listen on."""
    try:
        found = re.findall(r"listen 127\.0\.0\.1:(\d+)", _config(layout).read_text())
        return [int(port) for port in dict.fromkeys(found)]
    except FileNotFoundError:
        return []


def _client(layout: Layout, service: str) -> Any:
    credentials = layout.cluster_file.with_name("credentials")
    return aws.local(service, layout.region, layout.aws_endpoint, str(credentials))
