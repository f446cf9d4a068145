"""Has a release prove itself before anything old leaves: one pod of it has to live where no Service reaches it.

The pod is its Deployment's template: the same account, volumes, secrets and resources. It lacks the labels by which
Services, Deployments and budgets select, so no user's request reaches it and no ReplicaSet adopts it. NetworkPolicies
select by labels, too. The manifest's that would hold for the template are copied for the pod, which owns the copies. A
policy of another service that lets in only pods with the missing labels keeps this pod out: such a dependency has to
admit the label `longshore.dev/prove` as well, or must not decide whether a pod is ready.
"""

from __future__ import annotations

import time

from msgspec import Struct
from msgspec.structs import replace

from longshore.graph.steps import Progress
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.apply import apply, path
from longshore.kubernetes.paths import collection
from longshore.rollout import bake, barepods, evidence, smoke, verify
from longshore.rollout.barepods import PROVE as LABEL
from longshore.rollout.barepods import TakenBack, roomless, workload
from longshore.rollout.manifest import Manifest, Object
from longshore.rollout.pods import short
from longshore.rollout.records import Release
from longshore.rollout.relay import Relay
from longshore.rollout.selectors import selected, selects
from longshore.rollout.site import Site
from longshore.rollout.verdict import Outcome
from longshore.rollout.watch import Unreachable, Watcher
from longshore.settings.rollout import SMOKE

POLICY = ("networking.k8s.io/v1", "NetworkPolicy")  # Calico has a kind of that name as well
GONE = 10.0  # seconds for the pod to end, so that its room is free again


class Unproved(TakenBack):
    """A release did not prove itself, for `cause`; what was serving is unchanged."""

    what = "the release did not prove itself"


class _Candidate(Struct, frozen=True):
    """A pod that proves a release; `port` is where the application answers, 0 for one that is not asked."""

    pod: Object
    policies: tuple[Object, ...]
    port: int

    @property
    def name(self) -> str:
        return str(self.pod["metadata"]["name"])


def run(site: Site, release: Release, progress: Progress) -> None:
    """Have RELEASE prove itself for the seconds that the settings name, with a pod of each Deployment of its image.

    What the pods need and is missing is created and stays; what exists is not changed, so they see what serves sees.
    Raises Unproved with evidence saved, Interrupted and LeaseLost. The pods are deleted whatever happens.
    """
    if not site.environment.prove:
        return
    api = Api(site.cluster, site.runner)
    services = api.items(collection("Service", site.cluster.namespace), "")
    candidates = _candidates(site, release, services)
    if not candidates:
        return
    names = tuple(candidate.name for candidate in candidates)
    try:
        if cause := _start(site, api, release.content, candidates) or _watch(site, release, candidates, progress):
            progress("saving logs and events")
            folder = site.report / "evidence" / f"release-{release.number}"
            log = evidence.save(site.cluster, site.runner, names, folder)
            raise Unproved(cause, hint=f"logs and events are in {folder}", detail=log)
    finally:
        barepods.delete(api, names)
    barepods.until_gone(api, (each.pod for each in candidates), GONE, site.runner.cancellation.wait)


def _candidates(site: Site, release: Release, services: list[Object]) -> list[_Candidate]:
    environment, objects = site.environment, release.content.rolled_out
    deadlines = environment.rollout_deadline + environment.verify_deadline + SMOKE
    lifetime = deadlines + environment.prove + 60  # when a pod that a killed run leaves behind ends
    by, candidates = selected((*objects, *services)), []
    for deployment, container in barepods.running(objects, release.digest):
        template = deployment["spec"]["template"]
        labels, label = (template.get("metadata") or {}).get("labels") or {}, {LABEL: str(release.number)}
        name, namespace = f"{deployment['metadata']['name']}-prove-{release.number}", site.cluster.namespace
        own = {key: value for key, value in labels.items() if key not in by} | label
        pod = barepods.made(deployment, name, namespace, own, lifetime)
        policies = tuple(
            {
                **policy,
                "metadata": {"name": f"{policy['metadata']['name']}-{name}", "namespace": namespace},
                "spec": policy["spec"] | {"podSelector": {"matchLabels": label}},
            }
            for policy in objects
            if (policy["apiVersion"], policy["kind"]) == POLICY
            and selects(policy["spec"].get("podSelector") or {}, labels)
        )
        # `render` tells the one that the public address leads to: only that one can answer with its revision.
        told = {"name": "REVISION", "value": release.revision} in container.get("env", ())
        ports = container.get("ports") if told else None
        if container.get("ports"):  # nobody waits for an answer of it; a worker holds work, and finishes it
            pod["spec"]["terminationGracePeriodSeconds"] = 1
        candidates.append(_Candidate(pod, policies, ports[0]["containerPort"] if ports else 0))
    return candidates


def _start(site: Site, api: Api, manifest: Manifest, candidates: list[_Candidate]) -> str:
    """Create the pods and what they miss; return why that cannot be, an empty text where they are there."""
    try:
        barepods.provide(site, api, manifest)
        for candidate in candidates:
            apply(site.cluster, site.runner, [candidate.pod])
            uid = api.get(path(candidate.pod, api.namespace))["metadata"]["uid"]
            owner = [{"apiVersion": "v1", "kind": "Pod", "name": candidate.name, "uid": uid}]
            for policy in candidate.policies:
                policy["metadata"]["ownerReferences"] = owner
            apply(site.cluster, site.runner, list(candidate.policies))
    except UNANSWERED as problem:
        return roomless(f"its pod cannot be created: {short(getattr(problem, 'detail', '') or str(problem))}")
    return ""


def _watch(site: Site, release: Release, candidates: list[_Candidate], progress: Progress) -> str:
    """Return what the pods did wrong, an empty text for those that became ready, answered, and lived on for a while."""

    def say(text: str, *counts: int) -> None:
        progress(f"proving: {text}", *counts)

    seconds, workloads = site.environment.prove, [workload(candidate.pod) for candidate in candidates]
    with Watcher(site.cluster, site.runner, workloads, site.environment.patience) as watcher:
        try:
            verdict = watcher.until_verdict(site.environment.rollout_deadline, say)
        except Unreachable as problem:
            return problem.sentence
        if verdict.outcome is Outcome.BAD:
            return roomless(verdict.sentence)
        began, crashed = time.monotonic(), watcher.crashes()
        for candidate in candidates:
            if candidate.port and (cause := _ask(site, release, candidate, say)):
                return cause
        while True:
            verdict, passed = watcher.look() or verdict, time.monotonic() - began
            if watcher.crashes() > crashed or verdict.outcome is not Outcome.GOOD:
                for _ in range(bake.EXPLAIN):  # its status gives the reason a moment later
                    watcher.pause()
                why = watcher.last_crash() or (watcher.look() or verdict).sentence
                return f"{passed:.0f} s after it was ready: {why}"
            if passed >= seconds:
                return ""
            say(f"{passed:.0f} of {seconds:g} s", int(passed), int(seconds))
            site.runner.admit(change=True)  # without the lease there is nothing to prove
            watcher.pause()


def _ask(site: Site, release: Release, candidate: _Candidate, progress: Progress) -> str:
    """Have the pod of CANDIDATE answer as RELEASE and pass the smoke tests; return what is wrong."""
    pause, deadline = site.runner.cancellation.wait, site.environment.verify_deadline
    with Relay(site, candidate.name, candidate.port) as relay:
        behind = replace(site, url=relay.url, authority=None)
        try:
            progress("asking for its version")
            alone = replace(release.content.asked, service="")  # no Service leads to it
            verify.until_answers(behind, release, deadline=deadline, pause=pause, say=lambda _: None, asked=alone)
        except verify.Unverified as problem:
            because = f" ({relay.refusal})" if relay.refusal else ""
            return problem.sentence.replace(relay.url, f"pod {candidate.name}") + because
        progress("running the smoke tests")
        environ = site.runner.environ
        direct = ",".join(filter(None, (environ.get("no_proxy") or environ.get("NO_PROXY"), "127.0.0.1")))
        return smoke.run(behind, release, LONGSHORE_PROVE="1", no_proxy=direct, NO_PROXY=direct)
