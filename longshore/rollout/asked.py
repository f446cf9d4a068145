"""How one asks a release which one it is: written on the Deployment that it is asked through, and so in its record.

A release may have to be returned to after the settings have changed, so these say nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.paths import collection

ANNOTATION = "longshore.dev/asked"

Object = dict[str, Any]


class Asked(Struct, frozen=True, kw_only=True):
    """`version` is the path that tells revision and digest, empty where only the pods behind `service` do.

    `check` are paths that answer below 500 when all is well; `workload` is the Deployment behind the public address.
    Records of earlier versions say nothing: then it is as it always was.
    """

    version: str = "/version"
    check: tuple[str, ...] = ()
    service: str = "app"
    workload: str = "app"

    @property
    def note(self) -> str:
        return msgspec.json.encode(self).decode()


def of(objects: Iterable[Object]) -> Asked:
    """Return how the release of OBJECTS is asked."""
    notes = ((item["metadata"].get("annotations") or {}).get(ANNOTATION) for item in objects)
    try:
        return msgspec.json.decode(next(filter(None, notes), "{}"), type=Asked)
    except msgspec.MsgspecError:  # somebody else's, or a later version's
        return Asked()


def behind(api: Api, service: str, digest: str) -> set[str]:
    """Return the pods that SERVICE leads to. Raises OSError unless there are some and all of them run DIGEST."""
    selector = f"labelSelector=kubernetes.io/service-name={service}"
    try:
        slices = api.get(f"{collection('EndpointSlice', api.namespace)}?{selector}")["items"]
        endpoints = [each for part in slices for each in part.get("endpoints") or () if _ready(each)]
        names = {each["targetRef"]["name"] for each in endpoints if each.get("targetRef")}
        pods = api.several(f"{collection('Pod', api.namespace)}/{name}" for name in sorted(names))
    except UNANSWERED as problem:
        raise OSError(f"the pods behind the Service {service} cannot be read: {problem}") from None
    for pod in filter(None, pods):
        images = [container["image"] for container in pod["spec"]["containers"]]
        if not any(image.endswith(f"@{digest}") for image in images):
            raise OSError(f"the Service {service} leads to pod {pod['metadata']['name']}, which runs {images[0]}")
    if not names:
        raise OSError(f"the Service {service} leads to no pod that is ready")
    return names


def _ready(endpoint: Object) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False
