"""Server-side apply over one connection: starting kubectl each time takes longer than its requests do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import FIELD_MANAGER, Cluster
from longshore.errors import CommandFailed, StepFailed
from longshore.kubernetes import paths
from longshore.kubernetes.api import Api, Refused
from longshore.process.runner import Runner

PATCH = "application/apply-patch+yaml"  # JSON is YAML
UNREADY = (401, 429)  # an expired token, a busy server: kubectl retries

Object = dict[str, Any]


class NotApplied(CommandFailed):
    """The API server rejected objects; `detail` has each one's reason in the server's words."""

    def __init__(self, reasons: list[str]) -> None:
        StepFailed.__init__(self, "the API server rejected the manifest", detail="\n".join(reasons))
        self.program, self.program_exit_code = "kubectl", 1


def known(objects: Iterable[Object], namespace: str) -> bool:
    """Return whether each of OBJECTS is of a kind in `paths` and in NAMESPACE."""
    return all(
        paths.VERSIONS.get(item["kind"]) == item["apiVersion"]
        and item["metadata"].get("namespace", namespace) == namespace
        for item in objects
    )


def path(item: Object, namespace: str) -> str:
    """Return the path of the object ITEM, which must be of a known kind."""
    return f"{paths.collection(item['kind'], namespace)}/{item['metadata']['name']}"


def apply(
    cluster: Cluster,
    runner: Runner,
    objects: list[Object],
    *,
    dry_run: bool = False,
    force: bool = True,
    first: bool = False,
) -> None:
    """Apply OBJECTS on the server in their order, as our field manager; the options are those of kubectl.apply.

    Falls back to kubectl for kinds that `paths` lacks, where the server is busy or does not answer, and for the FIRST
    release: kubectl also migrates what was applied client-side. Raises NotApplied, CommandFailed, LeaseLost.
    """
    if not first and known(objects, cluster.namespace):
        runner.admit(change=not dry_run)
        try:
            _send(Api(cluster, runner), objects, dry_run=dry_run, force=force)
            return
        except (OSError, Refused):
            pass  # kubectl is more patient, and reports whatever it was in words that operators know
    runner.run(kubectl.apply(cluster, kubectl.listed(objects), dry_run=dry_run, force=force))


def _send(api: Api, objects: list[Object], *, dry_run: bool, force: bool) -> None:
    """Send each object. Raises what `Api.ask` does, and NotApplied with all rejections after the last object."""
    options = f"?fieldManager={FIELD_MANAGER}&fieldValidation=Strict&force={str(force).lower()}"
    options += "&dryRun=All" if dry_run else ""
    reasons = []
    with api.connection() as connection:
        for item in objects:
            try:
                api.ask(connection, path(item, api.namespace) + options, "PATCH", item, media_type=PATCH).read()
            except Refused as problem:
                if problem.status >= 500 or problem.status in UNREADY:
                    raise
                reasons.append(f"{item['kind']} {item['metadata']['name']}: {problem.reason}")
    if reasons:
        raise NotApplied(reasons)
