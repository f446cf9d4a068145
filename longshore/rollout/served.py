"""Which kinds of objects the cluster has: one that was added to it may be gone by the time it is returned to."""

from __future__ import annotations

from collections.abc import Iterable

from longshore.kubernetes import paths
from longshore.kubernetes.api import UNANSWERED, Api, Refused
from longshore.rollout.manifest import Object
from longshore.rollout.site import Site


def split(site: Site, objects: Iterable[Object]) -> tuple[list[Object], list[Object]]:
    """Return those of OBJECTS whose kind the cluster has, and the others. In doubt it has it."""
    objects = list(objects)
    added = {item["apiVersion"] for item in objects if paths.VERSIONS.get(item["kind"]) != item["apiVersion"]}
    kinds = {version: known for version in added if (known := _kinds(site, version)) is not None}
    gone = [item for item in objects if item["kind"] not in kinds.get(item["apiVersion"], {item["kind"]})]
    return [item for item in objects if item not in gone], gone


def _kinds(site: Site, version: str) -> set[str] | None:
    """Return the kinds of the API VERSION, None where the server does not tell."""
    try:
        found = Api(site.cluster, site.runner).get(f"/{'apis' if '/' in version else 'api'}/{version}")
    except Refused as problem:
        return set() if problem.status == 404 else None
    except UNANSWERED:
        return None
    return {str(resource["kind"]) for resource in found["resources"]}
