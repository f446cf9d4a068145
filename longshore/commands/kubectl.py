"""What is asked of a cluster, always with a kubeconfig and context of our own: the current context is never used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from longshore.process.command import Command, Secret, change, query

FIELD_MANAGER = "longshore"


class Cluster(Struct, frozen=True, kw_only=True):
    """How to reach a cluster. Every call begins with `prefix`, one within the application's namespace with `inside`.

    `env` are the environment variables that its credentials come from.
    """

    kubectl: str
    kubeconfig: Path
    context: str
    namespace: str
    env: Mapping[str, str | Secret] = {}

    @property
    def prefix(self) -> tuple[str, ...]:
        return (self.kubectl, f"--kubeconfig={self.kubeconfig}", f"--context={self.context}")

    @property
    def inside(self) -> tuple[str, ...]:
        return (*self.prefix, f"--namespace={self.namespace}")


def listed(objects: Iterable[Any], indent: int | None = None) -> str:
    """Return OBJECTS as one JSON List, a form that kubectl reads."""
    items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    return json.dumps(items, ensure_ascii=False, indent=indent)


def kustomize(program: str, folder: Path) -> Command:
    """Render the kustomization in FOLDER; no log keeps it, since it may have a Secret."""
    return query(program, "kustomize", str(folder), deadline=30, private=True)


def get_manifest(cluster: Cluster, objects: Iterable[Any], *, managed: bool = False) -> Command:
    """Get OBJECTS as the cluster holds them, those that exist; MANAGED adds who owns their fields.

    No log keeps them: one may be a Secret.
    """
    words = ("get", "--filename=-", "--output=json", *(("--show-managed-fields",) if managed else ()))
    options = ("--ignore-not-found", "--request-timeout=20s")
    return query(*cluster.inside, *words, *options, env=cluster.env, stdin=listed(objects), deadline=30, private=True)


def apply(
    cluster: Cluster,
    manifest: str | Secret,
    *,
    dry_run: bool = False,
    force: bool = True,
    secrets: tuple[Secret, ...] = (),
) -> Command:
    """Apply MANIFEST (YAML or JSON) on the server's side; with DRY_RUN the server only checks it.

    FORCE takes over fields that others have set since; without it they are an error that names them.
    """
    describe = query if dry_run else change
    words = ("apply", "--server-side", f"--field-manager={FIELD_MANAGER}", *(("--force-conflicts",) if force else ()))
    options = (*(("--dry-run=server",) if dry_run else ()), "--filename=-", "--output=name", "--request-timeout=30s")
    return describe(*cluster.prefix, *words, *options, env=cluster.env, stdin=manifest, deadline=60, secrets=secrets)


def job_logs(cluster: Cluster, name: str) -> Command:
    """Print the complete logs of the Job NAME."""
    words = ("logs", f"--selector=batch.kubernetes.io/job-name={name}", "--all-containers", "--tail=-1")
    return query(*cluster.inside, *words, "--prefix=false", "--request-timeout=10s", env=cluster.env, deadline=20)


def diff(cluster: Cluster, objects: Iterable[Any]) -> Command:
    """Print what applying OBJECTS would change; exit code 1 means that there is something."""
    words = ("diff", "--server-side", f"--field-manager={FIELD_MANAGER}", "--force-conflicts", "--filename=-")
    return query(*cluster.prefix, *words, env=cluster.env, stdin=listed(objects), deadline=60)


def delete_objects(cluster: Cluster, references: tuple[str, ...]) -> Command:
    """Delete objects, each named `kind/name`."""
    return change(
        *cluster.inside, "delete", "--ignore-not-found", "--wait=false", *references, env=cluster.env, deadline=60
    )


def delete_whole(cluster: Cluster, objects: Iterable[Any]) -> Command:
    """Delete OBJECTS with all that they made, and wait until that has ended: pods have up to a minute."""
    words = ("delete", "--filename=-", "--ignore-not-found", "--cascade=foreground", "--wait", "--timeout=150s")
    return change(*cluster.inside, *words, env=cluster.env, stdin=listed(objects), deadline=180)


def describe(cluster: Cluster, kind: str, names: tuple[str, ...]) -> Command:
    """Describe objects of one KIND for a person: conditions, events, probes."""
    return query(*cluster.inside, "describe", kind, *names, "--request-timeout=5s", env=cluster.env, deadline=10)


def follow_logs(cluster: Cluster, selector: str) -> Command:
    """Follow the logs of all pods that match SELECTOR, until interrupted."""
    words = ("logs", "--follow", "--prefix", "--max-log-requests=100", f"--selector={selector}", "--tail=20")
    return query(*cluster.inside, *words, env=cluster.env, deadline=86400)
