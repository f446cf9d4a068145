"""Starting, asking and stopping the node from outside."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from longshore.command import Command, change
from longshore.errors import Precondition, StepFailed
from longshore.local import network, pki
from longshore.local.daemon import Daemon
from longshore.local.files import write
from longshore.local.node import files
from longshore.local.node.spec import spec, status_file
from longshore.local.packages import SYSTEM_PATH
from longshore.local.pki import NODE
from longshore.local.place import Place
from longshore.local.ports import answers
from longshore.runner import Runner

START = 180.0  # seconds until every component is ready; 4 on an idle machine, many times that where others keep every core busy
SERVE = 60.0  # seconds until the pods of the last time serve again; 6 on an idle machine
# Stands for all pods where the API server does not answer.
UNSEEN = {"metadata": {"name": "?"}, "spec": {"nodeName": NODE}, "status": {}}
INIT = Path(__file__).with_name("init.py")


def daemon(place: Place) -> Daemon:
    """Return the node as one background process: its end is the end of everything in the node."""
    return Daemon(id=place.id, name="node", run=place.run, log=place.logs / "node.log")


def ready(place: Place) -> bool:
    """Whether the node runs and every component of it said so a moment ago. Reads two small files."""
    return _bootstrapped(place).exists() and daemon(place).alive() and bool(_status(place).get("ready"))


def status(place: Place) -> dict[str, dict[str, Any]]:
    """Return, by component: ready, restarts, how it ended the last time."""
    return dict(_status(place).get("components", {})) if daemon(place).alive() else {}


def start(place: Place, runner: Runner, progress: Callable[[str, int | None, int | None], None]) -> None:
    """Start the node and wait until it is Ready and the pods it ran before serve again.

    Raises StepFailed, with the end of the log of what is not ready.
    """
    pki.ensure(place)
    changed = _configure(place)
    node = daemon(place)
    if changed and node.alive():
        node.stop()
    if not node.alive():
        status_file(place).unlink(missing_ok=True)
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # as Kubernetes gives times

    def components_ready() -> bool:
        components = _status(place).get("components", {})
        done = [name for name, one in components.items() if one["ready"]]
        waiting = next((name for name in components if name not in done), "")
        progress(f"starting {waiting or 'Kubernetes'}", len(done), len(components) or None)
        return bool(components) and not waiting

    try:
        fresh = node.start(runner, command(place), ready=components_ready, deadline=START)
    except StepFailed as problem:
        raise _explained(place, problem) from None
    api = Api(place)
    _bootstrap(place, runner)
    if fresh:
        progress("waiting for the node and its pods", None, None)
        _wait(runner, lambda: _node_ready(api, since), START, "the node does not become Ready")
        _await_pods(api, since, runner)


def stop(place: Place) -> None:
    """End the node: etcd cleanly, the rest with its namespaces."""
    daemon(place).stop(grace=9.0)
    status_file(place).unlink(missing_ok=True)


def command(place: Place) -> Command:
    """Describe the node's process. The network namespace exists before and after; all others are its own.

    `unshare` waits outside; it ignores TERM, which `init.py` in the same group acts upon, and takes it down when killed.
    Mounts propagate into the node, so that it does not hold on to a disk that the machine lets go of, but never out of it.
    """
    separate = (
        "--mount",
        "--propagation=slave",
        "--pid",
        "--fork",
        "--mount-proc",
        "--uts",
        "--ipc",
        "--kill-child=KILL",
    )
    python = (sys.executable, "-S", "-E", str(INIT), str(_spec_file(place)))
    return change(*network.inside(place, "unshare", *separate, *python), env={"PATH": SYSTEM_PATH})


class Api:
    """A few questions to the API server, asked as its administrator without starting a process."""

    def __init__(self, place: Place) -> None:
        self.host = place.node_ip
        self._context = ssl.create_default_context(cafile=str(place.ca))
        self._context.load_cert_chain(place.pki / "admin.crt", place.pki / "admin.key")

    def get(self, path: str) -> dict[str, Any]:
        """Return the object at PATH, an empty one where it cannot be had."""
        connection = http.client.HTTPSConnection(self.host, 6443, timeout=2, context=self._context)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            found: dict[str, Any] = json.loads(body) if answer.status == 200 else {}
            return found
        except (OSError, ValueError, http.client.HTTPException):
            return {}
        finally:
            connection.close()


def _configure(place: Place) -> bool:
    """Write all that the node reads at its start. Return whether any of it is new."""
    plugins = next((folder for folder in files.CNI_PLUGINS if Path(folder, "bridge").exists()), "")
    if not plugins:
        raise Precondition(
            "the CNI plugins are not installed",
            hint="`invoke doctor` lists what is missing and how to get it",
        )
    place.logs.mkdir(parents=True, exist_ok=True)
    changed = [
        write(place.state / "node" / name, text, mode=0o600)  # one holds the registry's login
        for name, text in files.all_files(place, plugins).items()
    ]
    changed.append(write(_spec_file(place), json.dumps(spec(place), indent=2) + "\n"))
    return any(changed)


def _spec_file(place: Place) -> Path:
    return place.state / "node" / "spec.json"


def _status(place: Place) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(status_file(place).read_text())
        return found
    except (OSError, ValueError):
        return {}


def _bootstrapped(place: Place) -> Path:
    """Lies beside etcd's data, so that it is gone when they are."""
    return place.state / "etcd" / "bootstrapped.json"


def _bootstrap(place: Place, runner: Runner) -> None:
    manifest = files.bootstrap(place)
    done = _bootstrapped(place)
    if done.exists() and done.read_text() == manifest:
        return
    kubectl = (
        str(place.kubectl),
        f"--kubeconfig={place.kubeconfig}",
        f"--cache-dir={place.state}/kubectl-cache",
    )
    apply = ("apply", "--server-side", "--force-conflicts", "--filename=-")
    runner.run(
        change(*kubectl, *apply, stdin=manifest, env={"NO_PROXY": place.node_ip, "no_proxy": place.node_ip})
    )
    write(done, manifest)


def _explained(place: Place, problem: StepFailed) -> StepFailed:
    """Name the component that is to blame, and show the end of its log instead of the node's."""
    for name, one in _status(place).get("components", {}).items():
        if not one["ready"]:
            log = place.logs / f"{name}.log"
            detail = (
                "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                if log.exists()
                else problem.detail
            )
            return StepFailed(
                f"{name} does not become ready in the local cluster", detail=detail, hint=f"its log is {log}"
            )
    return problem


def _node_ready(api: Api, since: str) -> bool:
    """Whether the kubelet of this start, not of an earlier one, says that the node is Ready."""
    conditions = api.get(f"/api/v1/nodes/{NODE}").get("status", {}).get("conditions", [])
    said = [one for one in conditions if one["type"] == "Ready" and one["status"] == "True"]
    return any(one["lastHeartbeatTime"] >= since for one in said)


def _await_pods(api: Api, since: str, runner: Runner) -> None:
    """Wait for the pods that served before. One that cannot start again must not keep the environment from starting."""
    with contextlib.suppress(StepFailed):
        _wait(runner, lambda: not list(behind(api, since)), SERVE, "")


def behind(api: Api, since: str) -> Iterator[str]:
    """Yield the pods that are reported as before SINCE (UTC, RFC 3339) or do not serve yet, and services that do not lead to theirs."""
    everything = api.get("/api/v1/pods").get("items", [UNSEEN])
    ours = [pod for pod in everything if pod["spec"].get("nodeName") == NODE]
    pods = [pod for pod in ours if pod["status"].get("phase") not in ("Succeeded", "Failed")]
    for pod in pods:
        containers = pod["status"].get("containerStatuses", [])
        began = [one.get("state", {}).get("running", {}).get("startedAt", "") for one in containers]
        conditions = pod["status"].get("conditions", [])
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        if not (ready and min(began, default="") >= since):
            yield pod["metadata"]["name"]
    for service in api.get("/api/v1/services").get("items", []):
        chosen = service["spec"].get("selector", {}).items()
        for port in service["spec"].get("ports", ()):
            astray = "nodePort" in port and not answers(api.host, port["nodePort"])
            if astray and any(chosen <= pod["metadata"].get("labels", {}).items() for pod in pods):
                yield service["metadata"]["name"]


def _wait(runner: Runner, condition: Callable[[], bool], deadline: float, otherwise: str) -> None:
    until = time.monotonic() + deadline
    while not condition():
        if time.monotonic() > until:
            raise StepFailed(otherwise, hint="`invoke local.logs` shows what the parts wrote")
        runner.cancellation.wait(0.1)
