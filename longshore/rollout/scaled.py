"""The number of pods that a manifest no longer says, since an autoscaler does.

Server-side apply takes away a field that nobody says any more, and Kubernetes puts 1 in its place: of ten pods nine
would end before the autoscaler looks. So another manager takes the number over first, as Kubernetes' documentation has
it ("Transferring ownership").
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from longshore.commands.kubectl import FIELD_MANAGER
from longshore.kubernetes.api import UNANSWERED, Api
from longshore.kubernetes.apply import PATCH, path
from longshore.rollout.manifest import Object
from longshore.rollout.selectors import scales
from longshore.rollout.site import Site

KEEPER = f"{FIELD_MANAGER}-replicas"
KINDS = {("apps/v1", "Deployment"), ("apps/v1", "StatefulSet")}


def keep(site: Site, objects: Iterable[Object]) -> None:
    """Keep the number of pods of those of OBJECTS that said it in an earlier release, and are scaled by others now."""
    objects = list(objects)
    scaled = {scales(item)[1] for item in objects}
    named = [item for item in objects if (item["apiVersion"], item["kind"]) in KINDS]
    free = [item for item in named if item["metadata"]["name"] in scaled and "replicas" not in item["spec"]]
    if not free:
        return
    api = Api(site.cluster, site.runner)
    with contextlib.suppress(*UNANSWERED):  # whoever applies them will say so
        for item, live in zip(free, api.several(path(item, api.namespace) for item in free), strict=True):
            if live is None or not _ours(live):
                continue
            known = {key: item[key] for key in ("apiVersion", "kind")} | {
                "metadata": {"name": item["metadata"]["name"]}
            }
            said = known | {"spec": {"replicas": live["spec"]["replicas"]}}
            site.runner.admit(change=True)
            with api.connection() as connection:
                options = f"?fieldManager={KEEPER}&force=true"
                api.ask(connection, path(item, api.namespace) + options, "PATCH", said, media_type=PATCH).read()


def _ours(live: Object) -> bool:
    """Return whether an earlier release of ours says how many pods LIVE has."""
    entries = (each for each in live["metadata"].get("managedFields", ()) if each.get("manager") == FIELD_MANAGER)
    return any("f:replicas" in ((each.get("fieldsV1") or {}).get("f:spec") or {}) for each in entries)
