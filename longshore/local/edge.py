"""The edge: nginx on loopback doing what the load balancer's listeners in the local AWS say, as the ALB does it in AWS."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longshore.command import Command, change
from longshore.errors import Precondition
from longshore.local import pki
from longshore.local.daemon import Daemon
from longshore.local.files import write
from longshore.local.packages import SYSTEM_PATH
from longshore.local.place import Place
from longshore.local.ports import answers, require_free
from longshore.runner import Runner

DEADLINE = 15.0
PROTOCOLS = {"HTTP": "http", "HTTPS": "https"}

PIECES = Path(__file__).with_name("nginx")


class Template(string.Template):
    """nginx's own variables begin with a dollar, ours with this."""

    delimiter = "@"


@dataclass(frozen=True, kw_only=True)
class Listener:
    """One listener of a load balancer: it redirects to `redirect` ("https:8443:301") or forwards to NodePort `target`."""

    port: int
    protocol: str
    redirect: str = ""
    target: int = 0
    names: tuple[str, ...] = ()  # of its certificate
    protocols: tuple[str, ...] = ()  # of TLS, as OpenSSL and nginx name them
    ciphers: tuple[str, ...] = ()


def daemon(place: Place) -> Daemon:
    """Return nginx as a background process."""
    return Daemon(id=place.id, name="edge", run=place.run, log=place.logs / "edge.log")


def ready(place: Place) -> bool:
    """Whether the edge runs and its ports answer. That it says what the listeners say now is `start`'s to see."""
    told = ports(place)
    return daemon(place).alive() and bool(told) and all(answers("127.0.0.1", port) for port in told)


def start(place: Place, runner: Runner) -> None:
    """Serve what the listeners say; a running edge takes changes over without dropping a connection.

    Raises Precondition when there is no load balancer yet, or a port is taken.
    """
    found = listeners(place)
    if not found:
        raise Precondition(
            "the local AWS has no load balancer yet", hint="`invoke infra.apply -e NAME` makes it"
        )
    edge, before = daemon(place), ports(place)
    if not edge.alive():
        edge.stop()  # a killed nginx leaves workers that hold the ports
    for listener in found:
        if not (edge.alive() and listener.port in before):
            require_free("127.0.0.1", listener.port, purpose="the edge", hint=_hint(place, listener))
    names = [name for listener in found for name in listener.names]
    changed = pki.edge(place, names or ["localhost"])
    changed |= write(_config(place), configuration(place, found))
    (place.run / "edge").mkdir(parents=True, exist_ok=True)
    if changed:
        edge.hang_up()
    edge.start(runner, _command(place), ready=lambda: ready(place), deadline=DEADLINE)


def listeners(place: Place) -> list[Listener]:
    """Ask the local AWS for the listeners of its load balancers. This AWS holds one environment, so all are ours."""
    balancing, certificates = _client(place, "elbv2"), _client(place, "acm")
    groups = {
        group["TargetGroupArn"]: int(group["Port"])
        for group in balancing.describe_target_groups()["TargetGroups"]
    }
    found = []
    for balancer in balancing.describe_load_balancers()["LoadBalancers"]:
        for one in balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
            names: list[str] = []
            for certificate in one.get("Certificates", ()):
                arn = certificate["CertificateArn"]
                said = certificates.describe_certificate(CertificateArn=arn)["Certificate"]
                if said["Status"] != "ISSUED":
                    raise Precondition(f"the certificate of {said['DomainName']} is {said['Status'].lower()}")
                names += [said["DomainName"], *said.get("SubjectAlternativeNames", ())]
            policy = {}
            if one["Protocol"] == "HTTPS":
                (policy,) = balancing.describe_ssl_policies(Names=[one["SslPolicy"]])["SslPolicies"]
            found.append(listener(one, groups, names, policy))
    return sorted(found, key=lambda one: one.port)


def listener(
    said: dict[str, Any], groups: dict[str, int], names: Iterable[str], policy: dict[str, Any]
) -> Listener:
    """Return the listener that AWS describes as SAID. GROUPS gives the port of each target group, POLICY what TLS it speaks."""
    action, port, protocol = said["DefaultActions"][0], int(said["Port"]), str(said["Protocol"])
    if action["Type"] == "redirect":
        to = action["RedirectConfig"]
        status = to["StatusCode"].removeprefix("HTTP_")
        return Listener(
            port=port, protocol=protocol, redirect=f"{PROTOCOLS[to['Protocol']]}:{to['Port']}:{status}"
        )
    return Listener(
        port=port, protocol=protocol, target=groups[action["TargetGroupArn"]], names=tuple(dict.fromkeys(names)),
        protocols=tuple(sorted(policy.get("SslProtocols", ()))), ciphers=tuple(one["Name"] for one in policy.get("Ciphers", ())),
    )  # fmt: skip


def configuration(place: Place, found: Iterable[Listener]) -> str:
    """Return nginx's settings for the listeners FOUND."""
    servers = "".join(_server(place, one) for one in found)
    return _filled("main", run=place.run, logs=place.logs, access_log=place.access_log, servers=servers)


def _server(place: Place, one: Listener) -> str:
    if one.redirect:
        scheme, port, status = one.redirect.split(":")
        to = "" if port == {"https": "443", "http": "80"}[scheme] else f":{port}"
        return _filled("redirect", port=one.port, status=status, scheme=scheme, to=to)
    tls = _tls(place, one) if one.protocol == "HTTPS" else ""
    return _filled(
        "forward", port=one.port, node=place.node_ip, target=one.target, scheme=PROTOCOLS[one.protocol],
        ssl=" ssl" if tls else "", tls=tls,
    )  # fmt: skip


def _tls(place: Place, one: Listener) -> str:
    """Return the certificate and what the listener's policy allows; OpenSSL names the ciphers of TLS 1.3 apart from the others."""
    newest = [name for name in one.ciphers if name.startswith("TLS_")]
    older = [name for name in one.ciphers if name not in newest]
    return _filled(
        "tls",
        pki=place.pki,
        protocols=" ".join(one.protocols),
        ciphers=":".join(older),
        suites=":".join(newest),
    )


def _filled(piece: str, **values: object) -> str:
    return Template((PIECES / f"{piece}.conf").read_text()).substitute(values)


def _command(place: Place) -> Command:
    argv = ("nginx", "-e", "stderr", "-p", str(place.run), "-c", str(_config(place)))
    return change(*argv, env={"PATH": SYSTEM_PATH})


def _config(place: Place) -> Path:
    return place.state / "edge.conf"


def ports(place: Place) -> list[int]:
    """Return the ports that the edge was told to listen on."""
    try:
        return [int(port) for port in re.findall(r"listen 127\.0\.0\.1:(\d+)", _config(place).read_text())]
    except FileNotFoundError:
        return []


def _hint(place: Place, one: Listener) -> str:
    variable = "https_port" if one.protocol == "HTTPS" else "http_port"
    where = f"[environments.{place.environment}.variables]"
    return f"end that process, or set another `{variable}` under {where} in longshore.toml"


def _client(place: Place, service: str) -> Any:
    """Return a client of the local AWS with its own credentials; no proxy must stand between."""
    import boto3
    from botocore.config import Config

    kept = ConfigParser(interpolation=None)
    kept.read(place.cluster_file.with_name("credentials"))
    return boto3.client(
        service,
        region_name=place.region,
        endpoint_url=place.aws_endpoint,
        aws_access_key_id=kept.get("default", "aws_access_key_id"),
        aws_secret_access_key=kept.get("default", "aws_secret_access_key"),
        config=Config(proxies={}, retries={"total_max_attempts": 2}),
    )
