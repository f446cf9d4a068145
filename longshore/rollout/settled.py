"""Decides whether a release has nothing to do: asks the cluster and the public address at the same time."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from longshore.commands import kubectl
from longshore.errors import Failure, StateUnknown
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.apply import known, path
from longshore.rollout import barepods, records, verify, watch
from longshore.rollout.manifest import Manifest, Object, annotation, is_job
from longshore.rollout.selectors import scales, specified
from longshore.rollout.shape import MANIFEST, Target
from longshore.rollout.site import Site
from longshore.rollout.verdict import Outcome

SCALED = ("Deployment", "StatefulSet")
PATIENCE = 2.0  # seconds within which the public address may start to answer before everything is released again
ASKS = "asks the public address"  # the name of the thread that does


def settled(site: Site, manifest: Manifest, target: Target) -> str | None:
    """Return a reason when the cluster already runs MANIFEST, is well, and has no unfinished release; else None.

    Ready pods do not serve yet: a load balancer, or kube-proxy after a start, learns of them a moment later. So the
    public address has to answer with TARGET's digest and revision as well. Raises Interrupted after a signal.
    """
    right, over = threading.Event(), threading.Event()
    address = threading.Thread(target=_ask_address, name=ASKS, args=(site, manifest, target, right, over), daemon=True)
    address.start()
    try:
        if sentence := _cluster(site, manifest):
            address.join()
            site.runner.cancellation.check()
        return f"already serving, {sentence}" if sentence and right.is_set() else None
    except (*UNANSWERED, StateUnknown):
        return None  # the release itself says what is wrong
    finally:
        over.set()


def _ask_address(site: Site, manifest: Manifest, target: Target, right: threading.Event, over: threading.Event) -> None:
    """Set RIGHT once the public address answers with TARGET; stop asking once OVER is set."""

    def pause(seconds: float) -> None:
        site.runner.cancellation.wait(seconds)
        if over.is_set():
            raise verify.Unverified("the answer is not needed any more")

    with contextlib.suppress(Failure), verify.Client(site.url, site.authority, kept=True) as client:
        verify.until_answers(
            site,
            target,
            deadline=PATIENCE,
            pause=pause,
            say=lambda _: None,
            asked=manifest.asked,
            client=client,
            patience=0,
        )
        right.set()


def _cluster(site: Site, manifest: Manifest) -> str:
    """Return how the workloads of MANIFEST are, an empty text unless the cluster holds all of it and they are well."""
    api, beside = Api(site.cluster, site.runner), ThreadPoolExecutor(1)
    try:
        looked = beside.submit(watch.look, api, manifest.workloads)
        if not _held(site, api, manifest):
            return ""
        verdict = looked.result()
    finally:
        beside.shutdown(wait=False)  # where there is something to release, nobody waits for what was looked at
    return verdict.sentence if verdict.outcome is Outcome.GOOD else ""


def _held(site: Site, api: Api, manifest: Manifest) -> bool:
    """Return whether the cluster holds all of MANIFEST, and no release without a verdict, nor a canary of one."""
    if known(manifest.rolled_out, api.namespace):
        items = [item for item in api.several(path(item, api.namespace) for item in manifest.rolled_out) if item]
    else:  # kubectl knows the kinds that were added to this cluster
        answer = site.runner.run(kubectl.get_manifest(site.cluster, manifest.rolled_out)).stdout
        items = json.loads(answer or "{}").get("items", [])
    unfinished = (records.unfinished(api.namespace), barepods.left(api.namespace))
    return _as_wanted(manifest, items) and not any(api.get(each)["items"] for each in unfinished)


def _as_wanted(manifest: Manifest, items: Iterable[Object]) -> bool:
    """Return whether ITEMS, which are in the cluster, are all of MANIFEST, as it marks and scales them."""
    live = {_key(item): item for item in items}
    scaled, marks = {scales(item) for item in manifest.rolled_out}, set()
    for item in manifest.rolled_out:
        actual, mark, named = live.get(_key(item)), annotation(item, MANIFEST), (item["kind"], item["metadata"]["name"])
        if actual is None and is_job(item) and specified(item).get("ttlSecondsAfterFinished") is not None:
            continue  # it is done
        if actual is None or (mark and annotation(actual, MANIFEST) != mark):
            return False
        # Where an autoscaler owns the number, any is right; that nobody is served by none, the address shows.
        wanted = specified(item).get("replicas") if item["kind"] in SCALED and named not in scaled else None
        if wanted is not None and actual["spec"].get("replicas") != wanted:
            return False
        marks.add(mark)
    return manifest.mark in marks


def _key(item: Object) -> tuple[str, str, str]:
    """Return API group, kind and name of ITEM, which the server may give in another version."""
    return str(item["apiVersion"]).rpartition("/")[0], item["kind"], item["metadata"]["name"]
