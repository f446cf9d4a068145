"""Pods of a release beside what serves, of no workload: nothing that serves is changed, and deleting them undoes them.

Each has its Deployment's template. A run that is killed leaves them behind: they end by themselves after a time, and
the next release deletes them first.
"""

from __future__ import annotations

import contextlib
import copy
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from longshore.commands import kubectl
from longshore.errors import Failure, RolledBack
from longshore.graph.steps import Progress
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.apply import apply, path
from longshore.kubernetes.paths import collection
from longshore.rollout.manifest import Manifest, Object
from longshore.rollout.site import Site
from longshore.rollout.verdict import Workload
from longshore.settings.rollout import DRAIN

# Labels of such pods: those out of the Services' reach, and those that take real traffic. The value is the release's
# number.
PROVE, CANARY = "longshore.dev/prove", "longshore.dev/canary"
NEEDED = ("ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim")  # what a pod may be unable to start without
NO_ROOM = re.compile(r"exceeded quota|Insufficient|Too many pods|free ports")


class TakenBack(RolledBack):
    """A release failed with such pods, for `cause`, as `what` says in words; what was serving is unchanged."""

    what = ""

    def __init__(self, cause: str, *, hint: str, detail: str) -> None:
        super().__init__(f"{self.what}: {cause}; what was serving is unchanged", hint=hint, detail=detail)
        self.cause = cause


def running(
    objects: Iterable[Object], digest: str, kinds: Iterable[str] = ("Deployment",)
) -> Iterator[tuple[Object, Object]]:
    """Yield each of OBJECTS of KINDS that runs the image DIGEST, with the first container that does."""
    for item in objects:
        containers = item["spec"]["template"]["spec"]["containers"] if item["kind"] in kinds else ()
        container = next((each for each in containers if each["image"].endswith(f"@{digest}")), None)
        if container is not None:
            yield item, container


def made(deployment: Object, name: str, namespace: str, labels: dict[str, str], lifetime: float) -> Object:
    """Return a pod of DEPLOYMENT called NAME, with LABELS alone, that ends by itself after LIFETIME seconds."""
    template = deployment["spec"]["template"]
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations, "labels": labels}
    spec = copy.deepcopy(template["spec"]) | {"activeDeadlineSeconds": int(lifetime)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def left(namespace: str) -> str:
    """Return the path of the list of at most one pod that is a canary, or was left behind as one."""
    return f"{collection('Pod', namespace)}?limit=1&labelSelector={CANARY}"


def workload(pod: Object) -> Workload:
    """Return POD as something that is judged by itself."""
    images = {container["name"]: container["image"] for container in pod["spec"]["containers"]}
    return Workload(kind="Pod", name=pod["metadata"]["name"], images=images)


def provide(site: Site, api: Api, manifest: Manifest) -> None:
    """Create what pods of MANIFEST need and is missing. What exists is not changed: old pods may read it."""
    needed = [item for item in manifest.rolled_out if item["kind"] in NEEDED]
    existing = api.several(path(item, api.namespace) for item in needed)
    apply(site.cluster, site.runner, [item for item, live in zip(needed, existing, strict=True) if live is None])


def roomless(cause: str) -> str:
    """Return CAUSE, which begins with what it comes to where there is no room for another pod."""
    return f"there is no room for a surge pod: {cause}" if NO_ROOM.search(cause) else cause


def delete(api: Api, names: Iterable[str]) -> None:
    """Delete the pods NAMES without asking whether a change is admitted: nobody else knows of them."""
    for name in names:
        with contextlib.suppress(*UNANSWERED, Failure):
            api.text(f"{collection('Pod', api.namespace)}/{name}", method="DELETE")


def until_gone(api: Api, pods: Iterable[Object], seconds: float, pause: Callable[[float], object]) -> bool:
    """Wait for at most SECONDS until PODS have ended; return whether they certainly have."""
    end, paths = time.monotonic() + seconds, [path(pod, api.namespace) for pod in pods]
    with contextlib.suppress(*UNANSWERED):
        while any(api.several(paths)):
            if time.monotonic() > end:
                return False
            pause(0.1)
        return True
    return False


def under_way(api: Api) -> str:
    """Return in words which pods take a share of the requests as a canary, an empty text for none.

    Raises Precondition where that cannot be known.
    """
    found = [
        pod
        for pod in api.items(collection("Pod", api.namespace), CANARY)
        if not pod["metadata"].get("deletionTimestamp") and pod.get("status", {}).get("phase") != "Failed"
    ]
    if not found:
        return ""
    first = min(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    began = datetime.fromisoformat(first["metadata"]["creationTimestamp"])
    end = began + timedelta(seconds=first["spec"].get("activeDeadlineSeconds", 0))
    names = ", ".join(sorted(pod["metadata"]["name"] for pod in found))
    until = f"if its run is dead, the next release takes it back, or it ends by itself at {end:%H:%M} UTC"
    return f"release {first['metadata']['labels'][CANARY]}, {names} since {began:%H:%M:%S} UTC; {until}"


def clear(site: Site, progress: Progress) -> None:
    """Delete the pods that killed runs left behind, and wait until they have ended: they take requests, and room."""
    api = Api(site.cluster, site.runner)
    for label, what in (PROVE, "a pod"), (CANARY, "the canary"):
        pods = api.items(collection("Pod", api.namespace), label)
        if pods:
            progress(f"deleting {what} that an earlier run left behind")
            names = tuple(f"pod/{pod['metadata']['name']}" for pod in pods)
            site.runner.run(kubectl.delete_objects(site.cluster, names))
            until_gone(api, pods, DRAIN, site.runner.cancellation.wait)
