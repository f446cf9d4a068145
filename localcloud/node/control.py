"""Starting and stopping the nodes, and their status, from outside."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from localcloud import network, pki
from localcloud.daemon import Daemon
from localcloud.layout import NODE, Layout
from localcloud.node import files
from localcloud.node.spec import folders, spec, status_file
from localcloud.packages import SYSTEM_PATH
from localcloud.ports import answers
from localcloud.progress import Progress
from longshore.commands.kubectl import Cluster
from longshore.errors import StepFailed, ToolMissing
from longshore.files import from_json, write_if_changed
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.process.command import Command, change
from longshore.process.runner import Runner

START = 180.0  # seconds until every component of a node is ready; 4 on an idle machine, many times that on a busy one
SERVE = 60.0  # seconds until the pods of the last run serve again; 6 on an idle machine
INIT = Path(__file__).with_name("init.py")


def ready(layout: Layout) -> bool:
    """Whether all nodes run, and no other one. Reads a few small files."""
    others = (node for node in layout.possible if node.number > len(layout.nodes))
    all_run = all(map(runs, layout.nodes)) and not any(node.config.exists() for node in others)
    return all_run and _bootstrapped(layout).exists() and files.knows_secret(layout)


def runs(node: Layout) -> bool:
    """Whether NODE runs and all its components were ready a moment ago."""
    return _daemon(node).alive() and bool(_status(node).get("ready"))


def status(node: Layout) -> dict[str, dict[str, Any]]:
    """Return for each component of NODE by name: `ready`, `restarts`, and `exit`, how it ended the last time."""
    return dict(_status(node).get("components", {})) if _daemon(node).alive() else {}


def start(layout: Layout, runner: Runner, progress: Progress) -> None:
    """Start the nodes and wait until they are Ready and the pods of the last run serve again.

    Raises StepFailed, with the end of the log of the component that is not ready.
    """
    pki.ensure(layout)
    api = Api(Cluster(kubectl="", kubeconfig=layout.kubeconfig, context=layout.cluster_name, namespace=""), runner)
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # as Kubernetes gives times
    fresh = []
    for node in layout.nodes:
        if _started(node, runner, progress):
            fresh.append(node)
        if node.number == 1:
            _bootstrap(layout, runner)
    _retire(layout, runner)
    if fresh:
        progress("waiting for the node and its pods")
    for node in fresh:
        _wait(runner, partial(_node_ready, api, node, since), START, "the Kubernetes node does not become Ready")
    for node in fresh:
        with contextlib.suppress(StepFailed):  # a pod that cannot start must not block the environment
            _wait(runner, partial(_serves, api, node, since), SERVE, "")


def _started(node: Layout, runner: Runner, progress: Progress) -> bool:
    """Have the components of NODE run; return whether they did not run before. Raises as `start` does."""
    changed, daemon = _configure(node), _daemon(node)
    if changed:
        daemon.stop()
        # The pods' bridge may have another range's address, and stays where the network does.
        runner.run(change(*network.inside(node, "ip", "link", "delete", files.BRIDGE)), check=False)
    if not daemon.alive():
        status_file(node).unlink(missing_ok=True)

    def components_ready() -> bool:
        components = _status(node).get("components", {})
        done = [name for name, component in components.items() if component["ready"]]
        waiting = next((name for name in components if name not in done), "")
        progress(f"starting {waiting or 'Kubernetes'}", len(done), len(components) or None)
        return bool(components) and not waiting

    try:
        return daemon.start(runner, command(node), ready=components_ready, deadline=START)
    except StepFailed as problem:
        raise _explained(node, problem) from None


def _retire(layout: Layout, runner: Runner) -> None:
    """End a node that the settings no longer have, and forget it."""
    for node in layout.possible[len(layout.nodes) :]:
        if node.config.exists():
            _daemon(node).stop(grace=9.0)
            runner.run(change(*_kubectl(layout), "delete", "node", node.node_name, "--ignore-not-found"))
            # Else others take the place of its pods a minute later.
            there = ("--all-namespaces", f"--field-selector=spec.nodeName={node.node_name}", "--force")
            runner.run(change(*_kubectl(layout), "delete", "pods", *there))
            for name in (*folders(node), node.config.name):  # what tells of it is last
                shutil.rmtree(layout.state / name, ignore_errors=True)


def stop(layout: Layout) -> None:
    """Stop the nodes: etcd cleanly, the rest with its namespaces."""
    for node in reversed(layout.possible):
        _daemon(node).stop(grace=9.0)
        status_file(node).unlink(missing_ok=True)


def _daemon(node: Layout) -> Daemon:
    return node.daemon(f"node{node.suffix}")


def command(layout: Layout) -> Command:
    """Describe the node's process. It creates all its namespaces but that of the first node's network.

    `unshare` waits outside: it ignores TERM, which `init.py` in the same process group obeys; killed, it kills init.py.
    Mounts propagate into the node, so that it does not keep a disk busy that the machine unmounts, but not out of it.
    """
    namespaces = ("--mount", "--propagation=slave", "--pid", "--fork", "--mount-proc", "--uts", "--ipc")
    options = (*namespaces, "--kill-child=KILL")
    python = (sys.executable, "-S", "-E", str(INIT), str(_spec_file(layout)))
    program = python if layout.number == 1 else ("--net", *network.wired(layout, *python))
    return change(*network.inside(layout, "unshare", *options, *program), env={"PATH": SYSTEM_PATH})


def _get(api: Api, path: str) -> dict[str, Any]:
    """Return the object at PATH, or an empty one if the API server does not answer with it."""
    try:
        return api.get(path, timeout=2)
    except UNANSWERED:
        return {}


def _configure(layout: Layout) -> bool:
    """Write what the node reads when it starts. Return whether any of it has changed."""
    plugins = next((folder for folder in files.CNI_PLUGINS if Path(folder, "bridge").exists()), "")
    if not plugins:
        raise ToolMissing("the CNI plugins are not installed")
    layout.logs.mkdir(parents=True, exist_ok=True)
    changed = [
        write_if_changed(layout.config / name, text, mode=0o600)  # one contains the registry's login
        for name, text in files.all_files(layout, plugins).items()
    ]
    changed.append(write_if_changed(_spec_file(layout), json.dumps(spec(layout), indent=2) + "\n"))
    return any(changed)


def _spec_file(layout: Layout) -> Path:
    return layout.config / "spec.json"


def _status(layout: Layout) -> dict[str, Any]:
    try:
        return from_json(status_file(layout).read_bytes(), dict[str, Any])
    except (OSError, ValueError):
        return {}


def _bootstrapped(layout: Layout) -> Path:
    """Return the record of what was applied, beside etcd's data so that both go together."""
    return layout.state / "etcd" / "bootstrapped.json"


def _bootstrap(layout: Layout, runner: Runner) -> None:
    manifest = files.bootstrap(layout)
    done = _bootstrapped(layout)
    if done.exists() and done.read_text() == manifest:
        return
    apply = ("apply", "--server-side", "--force-conflicts", "--filename=-")
    runner.run(change(*_kubectl(layout), *apply, stdin=manifest))
    write_if_changed(done, manifest)


def _kubectl(layout: Layout) -> tuple[str, ...]:
    return str(layout.kubectl), f"--kubeconfig={layout.kubeconfig}", f"--cache-dir={layout.state}/kubectl-cache"


def _explained(layout: Layout, problem: StepFailed) -> StepFailed:
    """Return PROBLEM with the name of the component at fault and the end of its log instead of the node's."""
    for name, component in _status(layout).get("components", {}).items():
        if not component["ready"]:
            log = layout.logs / f"{name}{layout.suffix}.log"
            detail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else problem.detail
            return StepFailed(f"{name} of the local cluster does not start", detail=detail, hint=f"its log is {log}")
    return problem


def _node_ready(api: Api, node: Layout, since: str) -> bool:
    """Whether the kubelet of NODE has reported since SINCE that it is Ready."""
    conditions = _get(api, f"/api/v1/nodes/{node.node_name}").get("status", {}).get("conditions", [])
    return any(_is_ready(condition) and condition["lastHeartbeatTime"] >= since for condition in conditions)


def _is_ready(condition: dict[str, Any]) -> bool:
    return bool(condition["type"] == "Ready" and condition["status"] == "True")


def _serves(api: Api, node: Layout, since: str) -> bool:
    return not list(behind(api, since, node.node_name, node.node_ip))


def behind(api: Api, since: str, name: str = NODE, address: str = "") -> Iterator[str]:
    """Yield what does not serve again on the node NAME at ADDRESS: pods and services.

    Such pods are not ready or were last started before SINCE, UTC in the form of RFC 3339; such services have a closed
    NodePort. Services without pods here do not count.
    """
    # Stands for all pods while the API server does not answer.
    unseen = {"metadata": {"name": "?"}, "spec": {"nodeName": name}, "status": {}}
    assigned = [pod for pod in _get(api, "/api/v1/pods").get("items", [unseen]) if pod["spec"].get("nodeName") == name]
    pods = [pod for pod in assigned if pod["status"].get("phase") not in ("Succeeded", "Failed")]
    for pod in pods:
        containers = pod["status"].get("containerStatuses", [])
        started = [container.get("state", {}).get("running", {}).get("startedAt", "") for container in containers]
        ready = any(map(_is_ready, pod["status"].get("conditions", [])))
        if not (ready and min(started, default="") >= since):
            yield pod["metadata"]["name"]
    for service in _get(api, "/api/v1/services").get("items", []):
        selector = service["spec"].get("selector", {}).items()
        for port in service["spec"].get("ports", ()):
            closed = "nodePort" in port and not answers(address or api.host, port["nodePort"])
            if closed and any(selector <= pod["metadata"].get("labels", {}).items() for pod in pods):
                yield service["metadata"]["name"]


def _wait(runner: Runner, condition: Callable[[], bool], deadline: float, failure: str) -> None:
    until = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > until:
            raise StepFailed(failure, hint="see `invoke local.logs`")
        runner.cancellation.wait(0.1)
