"""What is asked of a cluster. Its address and identity come from a kubeconfig of our own; the current context is never used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from longshore.command import Command, Secret, change, query

FIELD_MANAGER = "longshore"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where kubectl goes: program, kubeconfig, its context, and the namespace of the application."""

    kubectl: str
    kubeconfig: Path
    context: str
    namespace: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """The words that every call begins with."""
        return (self.kubectl, f"--kubeconfig={self.kubeconfig}", f"--context={self.context}")


def kustomize(program: str, folder: Path) -> Command:
    """Render the kustomization in FOLDER."""
    return query(program, "kustomize", str(folder), deadline=30)


def get_manifest(cluster: Cluster, manifest: str, *, managed: bool = False) -> Command:
    """The objects of MANIFEST as the cluster holds them, with who owns their fields where MANAGED; what does not exist is left out."""
    return query(
        *cluster.prefix,
        f"--namespace={cluster.namespace}",
        "get",
        "--filename=-",
        "--output=json",
        *(("--show-managed-fields",) if managed else ()),
        "--ignore-not-found",
        "--request-timeout=20s",
        stdin=manifest,
        deadline=30,
    )


def apply(
    cluster: Cluster, manifest: str | Secret, *, dry_run: bool = False, force: bool = True, secrets: tuple[Secret, ...] = ()
) -> Command:  # fmt: skip
    """Apply MANIFEST on the server, which owns the merge; `dry_run` lets admission refuse it before anything changes.

    Fields that others have set since are taken back, unless FORCE is off: then they are an error that names them.
    """
    options = (("--force-conflicts",) if force else ()) + (("--dry-run=server",) if dry_run else ())
    describe = query if dry_run else change
    return describe(
        *cluster.prefix, "apply", "--server-side", f"--field-manager={FIELD_MANAGER}", *options,
        "--filename=-", "--output=name", "--request-timeout=30s", stdin=manifest, deadline=60, secrets=secrets,
    )  # fmt: skip


def job_logs(cluster: Cluster, name: str) -> Command:
    """All that the pods of the Job NAME have printed."""
    return query(
        *cluster.prefix, f"--namespace={cluster.namespace}", "logs", f"--selector=batch.kubernetes.io/job-name={name}",
        "--all-containers", "--tail=-1", "--prefix=false", "--request-timeout=10s", deadline=20,
    )  # fmt: skip


def diff(cluster: Cluster, manifest: str) -> Command:
    """What applying MANIFEST would change; exit code 1 means that there is something."""
    return query(
        *cluster.prefix, "diff", "--server-side", f"--field-manager={FIELD_MANAGER}", "--force-conflicts", "--filename=-",
        stdin=manifest, deadline=60,
    )  # fmt: skip


def delete_objects(cluster: Cluster, references: tuple[str, ...]) -> Command:
    """Delete objects, each named `kind/name`."""
    return change(
        *cluster.prefix,
        f"--namespace={cluster.namespace}",
        "delete",
        "--ignore-not-found",
        "--wait=false",
        *references,
        deadline=60,
    )


def describe(cluster: Cluster, kind: str, names: tuple[str, ...]) -> Command:
    """What a person asks about objects of one KIND: conditions, events, probes."""
    return query(
        *cluster.prefix, f"--namespace={cluster.namespace}", "describe", kind, *names, "--request-timeout=5s", deadline=10
    )  # fmt: skip


def follow_logs(cluster: Cluster, selector: str) -> Command:
    """The logs of all pods under SELECTOR, as they come, until interrupted."""
    return query(
        *cluster.prefix, f"--namespace={cluster.namespace}", "logs", "--follow", "--prefix", "--max-log-requests=100",
        f"--selector={selector}", "--tail=20", deadline=86400,
    )  # fmt: skip
