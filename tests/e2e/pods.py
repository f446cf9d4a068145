"""Pods beside the application's, which run Python in its image."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.e2e.project import Project

SLEEP = "import time; time.sleep(3600)"
NONE = "nothing"  # instead of an answer
# Runs in a pod; prints the status that each address in its arguments answers with.
ASK = f"""
import http.client, sys
for address in sys.argv[1:]:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/")
        print(connection.getresponse().status)
    except OSError:
        print("{NONE}")
"""


# Of the pod `web`, if that has such a label.
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


def pod(project: Project, name: str, labels: Mapping[str, str], code: str = SLEEP, port: int = 0) -> dict[str, Any]:
    """Return a pod that runs CODE, and listens at PORT, which is called http, if that is given."""
    container: dict[str, Any] = {"name": "main", "image": image(project), "command": ["python", "-u", "-c", code]}
    if port:
        container |= {
            "ports": [{"name": "http", "containerPort": port}],
            "readinessProbe": {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 1},
        }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": dict(labels)}, "spec": spec}


def policy(name: str, **spec: Any) -> dict[str, Any]:
    """Return a NetworkPolicy for all pods, unless SPEC says otherwise."""
    metadata = {"name": name}
    spec = {"podSelector": {}, **spec}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def image(project: Project) -> str:
    """Return the image that serves."""
    (container,) = project.kubectl("get", "deployment", "app")["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def apply(project: Project, namespace: str, folder: Path, *items: Mapping[str, Any]) -> None:
    """Apply ITEMS to NAMESPACE by a file in FOLDER."""
    file = folder / "items.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    project.admin("apply", "-n", namespace, "-f", str(file))


@contextlib.contextmanager
def namespace(project: Project, name: str) -> Iterator[str]:
    """Have a namespace called NAME while entered."""
    project.admin("create", "namespace", name)
    try:
        yield name
    finally:
        project.admin("delete", "namespace", name, "--wait=true")


def answers(project: Project, namespace: str, name: str, *addresses: str) -> list[str]:
    """Return what the pod NAME is answered at each of ADDRESSES: a status, or NONE."""
    return project.admin("exec", "-n", namespace, name, "--", "python", "-c", ASK, *addresses).split()
