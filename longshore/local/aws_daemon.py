"""The local AWS of an environment as a background process, and what it answers about the cluster."""

from __future__ import annotations

import base64
import http.client
import json
import sys
from pathlib import Path
from typing import Any

import longshore
from longshore.command import Command, change
from longshore.errors import Precondition
from longshore.local import pki
from longshore.local.daemon import Daemon
from longshore.local.files import write
from longshore.local.packages import SYSTEM_PATH
from longshore.local.place import Existing, Place
from longshore.local.ports import require_free
from longshore.runner import Runner

DEADLINE = 60.0  # seconds; 2 on an idle machine, but compilers run beside it the first time


def daemon(place: Place) -> Daemon:
    """Return the local AWS as a background process."""
    return Daemon(id=place.id, name="aws", run=place.run, log=place.logs / "aws.log")


def ready(place: Place) -> bool:
    """Whether it runs and answers."""
    return daemon(place).alive() and answers(place.aws_port)


def start(place: Place, runner: Runner) -> None:
    """Start the local AWS. Raises Precondition when its port is taken, StepFailed with the end of its log."""
    if place.existing is None:
        pki.ensure(place)
    write(place.cluster_file, json.dumps(cluster(place), indent=2) + "\n", mode=0o600)
    if not daemon(place).alive():
        where = f"[environments.{place.environment}.local]"
        hint = f"end that process, or set another `aws_port` under {where} in longshore.toml"
        require_free("127.0.0.1", place.aws_port, purpose="the local AWS", hint=hint)
    daemon(place).start(runner, command(place), ready=lambda: answers(place.aws_port), deadline=DEADLINE)


def command(place: Place) -> Command:
    """Describe the server. The node reaches it over the link, this machine over loopback."""
    addresses = ["127.0.0.1"] if place.existing else ["127.0.0.1", place.host_ip]
    listen = [argument for address in addresses for argument in ("--listen", f"{address}:{place.aws_port}")]
    files = ("--state", str(place.cluster_file.parent), "--cluster", str(place.cluster_file))
    package = Path(longshore.__file__).parents[1]  # found also where the project runs from its own folder
    env = {"PATH": SYSTEM_PATH, "PYTHONPATH": str(package), "NO_PROXY": "*", "no_proxy": "*"}
    registry = ("--registry", place.registry, "--docker-config", str(place.docker_config))
    return change(sys.executable, "-m", "longshore.local.aws", *files, *listen, *registry, env=env)


def cluster(place: Place) -> dict[str, Any]:
    """Return what DescribeCluster says of the API server: address, CA (base64), issuer of service account tokens.

    Also what the load balancer's metrics are made from, and for our own cluster whose certificate may turn access policies
    into its bindings.
    """
    named = {
        "name": place.cluster_name,
        "issuer": place.issuer,
        "node": place.node_ip,
        "access_log": str(place.access_log),
    }
    if place.existing is not None:
        endpoint, authority = existing_cluster(place.existing)
        return {**named, "endpoint": endpoint, "ca": authority}
    administrator = {"certificate": str(place.pki / "admin.crt"), "key": str(place.pki / "admin.key")}
    ca = base64.b64encode(place.ca.read_bytes()).decode()
    return {
        **named,
        "endpoint": place.endpoint,
        "ca": ca,
        "ca_file": str(place.ca),
        "administrator": administrator,
    }


def existing_cluster(existing: Existing) -> tuple[str, str]:
    """Return address and CA (base64) of the cluster that a context names. Raises Precondition when it names none."""
    import yaml

    try:
        config: dict[str, Any] = yaml.safe_load(existing.kubeconfig.read_text()) or {}
    except (OSError, yaml.YAMLError) as problem:
        raise Precondition(
            f"{existing.kubeconfig} cannot be read as a kubeconfig ({type(problem).__name__})",
            hint="`kubeconfig` under [environments.NAME.local] names the file",
        ) from None
    contexts = {one["name"]: one["context"] for one in config.get("contexts") or ()}
    if existing.context not in contexts:
        raise Precondition(
            f"{existing.kubeconfig} has no context called {existing.context!r}",
            hint=f"it has: {', '.join(contexts) or 'none'}",
        )
    named = contexts[existing.context]["cluster"]
    found: dict[str, Any] = next(
        (one["cluster"] for one in config.get("clusters") or () if one["name"] == named), {}
    )
    authority = str(found.get("certificate-authority-data", ""))
    if not authority and "certificate-authority" in found:
        authority = base64.b64encode(
            (existing.kubeconfig.parent / found["certificate-authority"]).read_bytes()
        ).decode()
    return str(found.get("server", "")), authority


def answers(port: int) -> bool:
    """Whether a local AWS answers on PORT."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/_local/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
