"""Access policies in the real API server: one ClusterRole each, bound where an association says.

They are brought up to date when somebody comes with a token, which is when they are first needed: the API server may be started
long after Terraform has made the associations.
"""

from __future__ import annotations

import fnmatch
import http.client
import json
import ssl
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from longshore.local.aws.access_policies import group, rules
from longshore.local.aws.options import current

RBAC = "rbac.authorization.k8s.io"
LABEL = "longshore.dev/access-policy"
DEADLINE = 3.0  # seconds that the API server has to answer
Grant = tuple[str, str]  # access policy; namespace, or a pattern of namespaces, or empty for the cluster
Thing = dict[str, Any]


class Bindings:
    """What the API server was last told."""

    def __init__(self) -> None:
        self._told: tuple[Any, ...] = ()

    def ensure(self, grants: Iterable[Grant]) -> None:
        """Make the API server's bindings those of GRANTS and no others. Raises OSError when it does not take them.

        Without an administrator's certificate in the cluster file (a cluster that is not ours) nothing is done.
        """
        real = current().real_cluster()
        if "administrator" not in real:
            return
        context = ssl.create_default_context(cafile=real["ca_file"])
        context.load_cert_chain(real["administrator"]["certificate"], real["administrator"]["key"])
        api = http.client.HTTPSConnection(
            urlsplit(real["endpoint"]).netloc, timeout=DEADLINE, context=context
        )
        try:
            names = sorted(one["metadata"]["name"] for one in _ask(api, "GET", "/api/v1/namespaces")["items"])
            told = (real["endpoint"], sorted(set(grants)), names)
            if told != self._told:
                _tell(api, told[1], names)
                self._told = told
        except (http.client.HTTPException, ValueError, KeyError) as problem:
            raise OSError(f"{type(problem).__name__}: {problem}") from None
        finally:
            api.close()


def _ask(api: http.client.HTTPSConnection, method: str, path: str, body: Thing | None = None) -> Thing:
    text = json.dumps(body) if body else None
    api.request(method, path, text, {"Content-Type": "application/apply-patch+yaml"} if body else {})
    answer = api.getresponse()
    said = answer.read()
    if answer.status >= 400 and (method, answer.status) != ("DELETE", 404):
        raise OSError(f"{method} {path}: {answer.status} {said[:200].decode(errors='replace')}")
    found: Thing = json.loads(said)
    return found


def _tell(api: http.client.HTTPSConnection, wanted: list[Grant], names: list[str]) -> None:
    objects = {_path(thing): thing for thing in objects_of(wanted, names)}
    for path, thing in objects.items():
        _ask(api, "PATCH", f"{path}?fieldManager=longshore-aws&force=true", thing)
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        listed = _ask(api, "GET", f"/apis/{RBAC}/v1/{kind.lower()}s?labelSelector={LABEL}")["items"]
        for path in {_path({**thing, "kind": kind}) for thing in listed} - set(objects):
            _ask(api, "DELETE", path)


def objects_of(wanted: Iterable[Grant], names: Iterable[str]) -> Iterator[Thing]:
    """Yield all that stands for WANTED in a cluster whose namespaces are called NAMES."""
    wanted, names = list(wanted), list(names)
    for policy in sorted({policy for policy, _ in wanted}):
        yield _thing("ClusterRole", group(policy), rules=rules(policy))
    for policy, pattern in wanted:
        name = group(policy, pattern)
        role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": group(policy)}
        said: Thing = {"roleRef": role, "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": name}]}
        if not pattern:
            yield _thing("ClusterRoleBinding", name, **said)
        for namespace in fnmatch.filter(names, pattern) if pattern else ():
            yield _thing("RoleBinding", name, namespace, **said)


def _thing(kind: str, name: str, namespace: str = "", **said: Any) -> Thing:
    metadata: Thing = {"name": name, "labels": {LABEL: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, **said}


def _path(thing: Thing) -> str:
    namespace = thing["metadata"].get("namespace")
    folder = f"/apis/{RBAC}/v1/{f'namespaces/{namespace}/' if namespace else ''}{thing['kind'].lower()}s"
    return f"{folder}/{quote(thing['metadata']['name'])}"
