"""Server-side apply over one connection: kubectl, started anew for each time, takes longer than all that it asks for."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import FIELD_MANAGER, Cluster
from longshore.errors import CommandFailed, StepFailed
from longshore.rollout.api import TIMEOUT, Api, Refused
from longshore.runner import Runner

# What there is in a namespace, by API group and version: the kinds and their plurals.
PLURALS = {
    "v1": {
        "ConfigMap": "configmaps", "PersistentVolumeClaim": "persistentvolumeclaims", "Service": "services",
        "Secret": "secrets", "ServiceAccount": "serviceaccounts",  # pragma: allowlist secret
    },
    "apps/v1": {"DaemonSet": "daemonsets", "Deployment": "deployments", "StatefulSet": "statefulsets"},
    "autoscaling/v2": {"HorizontalPodAutoscaler": "horizontalpodautoscalers"},
    "batch/v1": {"CronJob": "cronjobs", "Job": "jobs"},
    "networking.k8s.io/v1": {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
}  # fmt: skip
PATCH = "application/apply-patch+yaml"  # and JSON is YAML
UNREADY = (401, 429)  # an expired token, a busy server: kubectl asks again

Object = dict[str, Any]


class NotApplied(CommandFailed):
    """The API server refused objects; `detail` has a line or more for each, in its own words."""

    def __init__(self, refusals: list[str]) -> None:
        StepFailed.__init__(self, "the API server refuses the manifest", detail="\n".join(refusals))
        self.program, self.program_exit_code = "kubectl", 1


def known(things: Iterable[Object], namespace: str) -> bool:
    """Return whether each of THINGS is of a known kind and in NAMESPACE."""
    return all(
        thing["kind"] in PLURALS.get(thing["apiVersion"], {})
        and thing["metadata"].get("namespace", namespace) == namespace
        for thing in things
    )


def path(thing: Object, namespace: str) -> str:
    """Return where THING, of a known kind, is."""
    group = thing["apiVersion"]
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    return f"{root}/namespaces/{namespace}/{PLURALS[group][thing['kind']]}/{thing['metadata']['name']}"


def apply(
    cluster: Cluster, runner: Runner, things: list[Object], *, dry_run: bool = False, force: bool = True, first: bool = False
) -> None:  # fmt: skip
    """Have the server merge THINGS as ours, in their order, as kubectl.apply describes it.

    kubectl does it for kinds that are not known here, where the server is too busy or does not answer, and for the FIRST release, since
    it also takes over what was applied on the client's side. Raises NotApplied, CommandFailed, LeaseLost.
    """
    if not (first or runner.dry_run) and known(things, cluster.namespace):
        runner.admit(change=not dry_run)
        try:
            _send(Api(cluster, runner), things, dry_run=dry_run, force=force)
            return
        except (OSError, http.client.HTTPException, Refused):
            pass  # whatever it was, kubectl is more patient, and says it in words that operators know
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": things})
    runner.run(kubectl.apply(cluster, text, dry_run=dry_run, force=force))


def _send(api: Api, things: list[Object], *, dry_run: bool, force: bool) -> None:
    """Raises what `Api.ask` does, NotApplied with every refusal, where all were asked for."""
    options = f"?fieldManager={FIELD_MANAGER}&fieldValidation=Strict&force={str(force).lower()}{'&dryRun=All' * dry_run}"
    refusals = []
    connection = api.connect(TIMEOUT)
    try:
        for thing in things:
            try:
                api.ask(connection, path(thing, api.namespace) + options, "PATCH", thing, kind=PATCH).read()
            except Refused as problem:
                if problem.status >= 500 or problem.status in UNREADY:
                    raise
                refusals.append(f"{thing['kind']} {thing['metadata']['name']}: {problem.reason}")
    finally:
        connection.close()
    if refusals:
        raise NotApplied(refusals)
