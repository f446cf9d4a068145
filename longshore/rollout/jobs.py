"""The Jobs of a manifest that are no hooks: each runs once, since Kubernetes lets nobody change a Job."""

from __future__ import annotations

from collections.abc import Iterable

from longshore.commands import kubectl
from longshore.kubernetes.api import Api
from longshore.kubernetes.apply import path
from longshore.rollout.manifest import Object, is_job
from longshore.rollout.pods import condition
from longshore.rollout.site import Site


def due(site: Site, objects: Iterable[Object]) -> list[Object]:
    """Return OBJECTS without the Jobs that are in the cluster; those that failed are deleted first, to run again."""
    objects = list(objects)
    standing = _standing(site, objects)
    failed = {name for name, job in standing.items() if condition(job, "Failed").get("status") == "True"}
    if failed:
        site.runner.run(kubectl.delete_objects(site.cluster, tuple(f"job/{name}" for name in sorted(failed))))
    return _without(objects, standing.keys() - failed)


def admissible(site: Site, objects: Iterable[Object]) -> list[Object]:
    """Return OBJECTS without the Jobs that are in the cluster: the server would refuse to change them."""
    objects = list(objects)
    return _without(objects, _standing(site, objects).keys())


def _standing(site: Site, objects: list[Object]) -> dict[str, Object]:
    jobs = [item for item in objects if is_job(item)]
    if not jobs:
        return {}
    api = Api(site.cluster, site.runner)
    found = api.several(path(job, api.namespace) for job in jobs)
    return {job["metadata"]["name"]: job for job in found if job}


def _without(objects: list[Object], jobs: Iterable[str]) -> list[Object]:
    names = set(jobs)
    return [item for item in objects if not is_job(item) or item["metadata"]["name"] not in names]
