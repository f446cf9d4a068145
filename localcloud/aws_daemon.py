"""The local AWS of an environment as a background process, and what it says about the cluster."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from localcloud import confined, pki, registry_login, secret
from localcloud.layout import Layout
from localcloud.packages import SYSTEM_PATH
from localcloud.ports import STATE_HEADER, http_status, raced, require_free
from longshore.files import write_if_changed
from longshore.kubernetes import kubeconfig
from longshore.process.command import Command, change
from longshore.process.runner import Runner

DEADLINE = 60.0  # seconds; 2 on an idle machine, but on a first start compilers run beside it


def ready(layout: Layout) -> bool:
    """Whether the local AWS runs, answers, and knows all nodes."""
    runs = confined.alive(layout, "aws") and answers(layout)
    return runs and ('"nodes"' in _text(layout.cluster_file)) == bool(layout.second)


def start(layout: Layout, runner: Runner) -> None:
    """Start the local AWS. Raises Precondition if its port is taken, StepFailed if it does not come up."""
    confined.passable(layout)
    if layout.existing is None:
        pki.ensure(layout)
        registry_login.ensure(layout)
    daemon = layout.daemon("aws")
    _hand_over(layout)
    setting = f"`aws_port` under [environments.{layout.environment}.local]"

    def require_port() -> None:
        if not daemon.alive():
            require_free(layout.aws_port, "the local AWS", setting)

    require_port()
    with raced(require_port):
        daemon.start(runner, command(layout), ready=lambda: answers(layout), deadline=DEADLINE)


def _hand_over(layout: Layout) -> None:
    """Give the local AWS what it reads: it may neither read root's files nor follow where they are."""
    folder = layout.cluster_file.parent
    confined.folder(layout, "aws", folder)
    if layout.second:
        confined.folder(layout, "aws", layout.unhealthy)
        layout.unhealthy.chmod(0o711)  # the edge looks
    secret.ensure(layout.aws_secret)
    contents = {
        layout.cluster_file: json.dumps(cluster(layout), indent=2) + "\n",
        _login(layout) / "config.json": _text(layout.docker_config / "config.json"),
    }
    if layout.existing is None:
        contents[_administrator(layout)] = layout.kubeconfig.read_text()
    for file, content in contents.items():
        write_if_changed(file, content, mode=0o600)
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            confined.own(layout, "aws", path)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else "{}"


def _login(layout: Layout) -> Path:
    """Return the folder with the local AWS's copy of the registry's login, which is ECR's too."""
    return layout.cluster_file.with_name("docker")


def _administrator(layout: Layout) -> Path:
    """Return the local AWS's copy of the administrator's kubeconfig: it turns access policies into bindings."""
    return layout.cluster_file.with_name("admin.conf")


def command(layout: Layout) -> Command:
    """Describe the server, which this machine reaches over loopback and the node over the link."""
    addresses = ["127.0.0.1"] if layout.existing else ["127.0.0.1", layout.host_ip]
    listen = [argument for address in addresses for argument in ("--listen", f"{address}:{layout.aws_port}")]
    files = ("--state", str(layout.cluster_file.parent), "--cluster", str(layout.cluster_file))
    packages = Path(__file__).parents[1]  # for a checkout that is not installed
    env = {"PATH": SYSTEM_PATH, "PYTHONPATH": str(packages), "NO_PROXY": "*", "no_proxy": "*"}
    env |= {"HOME": str(layout.cluster_file.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    registry = ("--registry", layout.registry, "--docker-config", str(_login(layout)))
    program = (sys.executable, "-P", "-m", "localcloud.aws", *files, *listen, *registry)
    code = (packages / "localcloud", packages / "longshore", Path(sys.prefix), Path(sys.base_prefix))
    return change(*confined.argv(layout, "aws", program, (*code, layout.state)), env=env)


def cluster(layout: Layout) -> dict[str, Any]:
    """Return what DescribeCluster says of the API server: address, CA (base64), issuer of service account tokens.

    Also what the load balancer's metrics are made from, and for our own cluster the administrator's kubeconfig, which
    may turn access policies into its bindings.
    """
    named: dict[str, Any] = {"name": layout.cluster_name, "issuer": layout.issuer}
    named |= {"node": layout.node_ip, "access_log": str(layout.access_log)}
    if layout.second:
        named |= {"nodes": [node.node_ip for node in layout.nodes], "unhealthy": str(layout.unhealthy)}
    if layout.existing is not None:
        access = kubeconfig.read(layout.existing.kubeconfig, layout.existing.context)
        return {**named, "endpoint": access.server, "ca": base64.b64encode(access.authority.encode()).decode()}
    ca = base64.b64encode(layout.ca.read_bytes()).decode()
    return {
        **named,
        "endpoint": layout.endpoint,
        "ca": ca,
        "kubeconfig": str(_administrator(layout)),
        "issuer_keys": pki.token_keys(layout),
    }


def answers(layout: Layout) -> bool:
    """Whether the environment's local AWS answers; another's that has taken the port meanwhile does not count."""
    headers = {STATE_HEADER: str(layout.cluster_file.parent)}
    return http_status(f"127.0.0.1:{layout.aws_port}", "/_local/health", headers=headers, timeout=1) == 200
