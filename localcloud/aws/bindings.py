"""EKS access policies in the real API server: one ClusterRole each, bound where an association says.

They are brought up to date when a token is reviewed, which is when they are first needed: the API server may start long
after Terraform created the associations.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from localcloud.aws.access_policies import group, rules
from localcloud.aws.options import current
from longshore.commands.kubectl import Cluster
from longshore.errors import Precondition
from longshore.kubernetes.api import Api, Refused
from longshore.process.runner import Runner

RBAC = "rbac.authorization.k8s.io"
LABEL = "longshore.dev/access-policy"
DEADLINE = 3.0  # seconds that the API server has to answer
Grant = tuple[str, str]  # access policy; namespace, pattern of namespaces, or empty for the whole cluster
Object = dict[str, Any]
Ask = Callable[..., Object]  # path, method, body


class Bindings:
    """Keeps the API server's role bindings equal to what EKS has granted."""

    def __init__(self) -> None:
        self._applied: tuple[Any, ...] = ()  # endpoint, grants and namespaces of the last update

    def ensure(self, grants: Iterable[Grant]) -> None:
        """Make the API server's bindings those of GRANTS and no others. Raises OSError if it does not accept them.

        Does nothing if the cluster is not ours.
        """
        with asking() as ask:
            if ask:
                namespaces = sorted(item["metadata"]["name"] for item in ask("/api/v1/namespaces")["items"])
                wanted = (current().real_cluster()["endpoint"], sorted(set(grants)), namespaces)
                if wanted != self._applied:
                    _apply(ask, wanted[1], namespaces)
                    self._applied = wanted


@contextmanager
def asking() -> Iterator[Ask | None]:
    """Yield a function that asks the API server for a path, as its administrator, over one connection.

    It is None if the cluster file names no administrator's kubeconfig: the cluster is not ours. Raises OSError if the
    API server cannot be reached or refuses.
    """
    real = current().real_cluster()
    if "kubeconfig" not in real:
        yield None
        return
    try:
        cluster = Cluster(kubectl="", kubeconfig=Path(real["kubeconfig"]), context=real["name"], namespace="")
        api = Api(cluster, Runner({}))
        with api.connection(DEADLINE) as connection:
            yield partial(_ask, api, connection)
    except (Refused, Precondition, ValueError, KeyError) as problem:
        raise OSError(f"{type(problem).__name__}: {problem}") from None


def _ask(api: Api, connection: HTTPSConnection, path: str, method: str = "GET", body: Object | None = None) -> Object:
    answer: Object = json.loads(api.ask(connection, path, method, body, "application/apply-patch+yaml").read())
    return answer


def _apply(ask: Ask, grants: list[Grant], namespaces: list[str]) -> None:
    objects = {_path(item): item for item in objects_of(grants, namespaces)}
    for path, item in objects.items():
        ask(f"{path}?fieldManager=longshore-aws&force=true", "PATCH", item)
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        listed = ask(f"/apis/{RBAC}/v1/{kind.lower()}s?labelSelector={LABEL}")["items"]
        for path in {_path({**item, "kind": kind}) for item in listed} - set(objects):
            try:
                ask(path, "DELETE")
            except Refused as problem:
                if problem.status != 404:  # gone by now
                    raise


def objects_of(grants: Iterable[Grant], namespaces: Iterable[str]) -> Iterator[Object]:
    """Yield the roles and bindings that express GRANTS in a cluster with these NAMESPACES."""
    grants, namespaces = list(grants), list(namespaces)
    for policy in sorted({policy for policy, _ in grants}):
        yield _object("ClusterRole", group(policy), rules=rules(policy))
    for policy, pattern in grants:
        name = group(policy, pattern)
        role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": group(policy)}
        binding: Object = {"roleRef": role, "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": name}]}
        if not pattern:
            yield _object("ClusterRoleBinding", name, **binding)
        for namespace in fnmatch.filter(namespaces, pattern) if pattern else ():
            yield _object("RoleBinding", name, namespace, **binding)


def _object(kind: str, name: str, namespace: str = "", **content: Any) -> Object:
    metadata: Object = {"name": name, "labels": {LABEL: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, **content}


def _path(item: Object) -> str:
    namespace = item["metadata"].get("namespace")
    folder = f"/apis/{RBAC}/v1/{f'namespaces/{namespace}/' if namespace else ''}{item['kind'].lower()}s"
    return f"{folder}/{quote(item['metadata']['name'])}"
