"""A release's manifest, parsed once: what it rolls out, the hooks around that, and what an administrator sets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, Self

import msgspec
from msgspec import Struct

from longshore.commands.kubectl import listed
from longshore.errors import BadInput
from longshore.files import from_json
from longshore.rollout import asked, verdict
from longshore.rollout.asked import Asked
from longshore.rollout.verdict import Workload

HOOK = "longshore.dev/hook"  # annotation of a Job that runs BEFORE or AFTER the rollout
IRREVERSIBLE = "longshore.dev/irreversible"  # annotation of a hook: no older release works with what it did
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}  # they hold a template of their pods
SHOWS = "`kubectl kustomize` of the overlay shows it"
BEFORE, AFTER = "before", "after"
# API group and kind of what EKS's edit policy lets nobody change.
RIGHTS = {("", "Namespace"), ("rbac.authorization.k8s.io", "Role"), ("rbac.authorization.k8s.io", "RoleBinding")}

Object = dict[str, Any]


class Manifest(Struct, frozen=True, kw_only=True, dict=True):
    """The objects of a manifest by what becomes of them, each group in its original order. Do not modify the objects.

    `before` and `after` are hooks, `rights` the namespace and the permissions in it, `rolled_out` is all else. `mark`
    is the hash of everything that the manifest was rendered from.
    """

    before: tuple[Object, ...] = ()
    rolled_out: tuple[Object, ...] = ()
    after: tuple[Object, ...] = ()
    rights: tuple[Object, ...] = ()
    mark: str = ""

    @classmethod
    def parse(cls, text: str, mark: str = "") -> Self:
        """Return the manifest in TEXT: YAML documents or a JSON List. Raises BadInput where it holds something else."""
        groups: dict[str, list[Object]] = {}
        for item in _objects(text):
            groups.setdefault(_group(item), []).append(item)
        return cls(mark=mark, **{name: tuple(items) for name, items in groups.items()})

    @property
    def released(self) -> tuple[Object, ...]:
        """Everything but the rights: what a release needs to be allowed to apply."""
        return (*self.before, *self.rolled_out, *self.after)

    @property
    def lasting(self) -> tuple[Object, ...]:
        """What is rolled out and stays as the manifest has it: a Job runs once, and nobody can change it."""
        return tuple(item for item in self.rolled_out if not is_job(item))

    @property
    def text(self) -> str:
        """The released objects as a release's record keeps them: a JSON List, which `parse` and kubectl read."""
        return listed(self.released, indent=1)

    @property
    def irreversible(self) -> bool:
        """Whether a hook declares that no older release works with what it did."""
        values = (annotation(job, IRREVERSIBLE) for job in (*self.before, *self.after))
        return any(str(value).lower() in {"true", "yes", "on"} for value in values)

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        return verdict.workloads(self.rolled_out)

    @cached_property
    def asked(self) -> Asked:
        return asked.of(self.rolled_out)

    @cached_property
    def strings(self) -> frozenset[str]:
        """Every string value in the released objects: a Secret that is mounted is one of them."""
        return frozenset(_strings(self.released))


def annotation(item: Object, name: str) -> Any:
    """Return the annotation NAME of an object, or None."""
    return (item["metadata"].get("annotations") or {}).get(name)


def is_job(item: Object) -> bool:
    """Return whether ITEM is one of Kubernetes' own Jobs."""
    return item["kind"] == "Job" and str(item["apiVersion"]).startswith("batch/")


def _group(item: Object) -> str:
    if (item["apiVersion"].rpartition("/")[0], item["kind"]) in RIGHTS:
        return "rights"
    when = annotation(item, HOOK)
    return str(when) if is_job(item) and when in (BEFORE, AFTER) else "rolled_out"


def _objects(text: str) -> Iterator[Object]:
    try:
        documents: Iterable[Any] = [from_json(text)]
    except ValueError:
        documents = _yaml(text)
    for document in documents:
        listing = isinstance(document, dict) and document.get("kind") == "List"
        items = document.get("items") if listing else [document] if document else []
        for item in map(_said, items if isinstance(items, list) else [items]):
            _check(item)
            yield item


def _said(item: Any) -> Any:
    """Return ITEM without the fields that are null, if it is Kubernetes' own, to which they are as if left out."""
    group = str(item.get("apiVersion")).rpartition("/")[0] if isinstance(item, dict) else "."
    if "." in group.removesuffix(".k8s.io"):
        return item
    return {key: _filled(value) if key in ("metadata", "spec") else value for key, value in item.items()}


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(part) for key, part in value.items() if part is not None}
    return [_filled(part) for part in value] if isinstance(value, list) else value


class _Metadata(Struct):
    name: str
    annotations: dict[str, Any] | None = None


class _Object(Struct):
    apiVersion: str  # noqa: N815 - Kubernetes' own names
    kind: str
    metadata: _Metadata


class _Container(Struct):
    name: str
    image: str


class _Pod(Struct):
    containers: list[_Container]
    initContainers: list[_Container] | None = None  # noqa: N815


class _Template(Struct):
    spec: _Pod


class _Spec(Struct):
    template: _Template
    replicas: int | None = None


class _Workload(_Object):
    spec: _Spec


def _check(item: Any) -> None:
    """Raise BadInput unless ITEM has what is read here of an object of its kind; Kubernetes itself checks the rest."""
    try:
        if msgspec.convert(item, _Object).kind in WORKLOADS and _group(item) == "rolled_out":
            msgspec.convert(item, _Workload)
    except ValueError as problem:  # also for text that is not UTF-8
        about = item if isinstance(item, dict) else {}
        metadata = about.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, dict) else ""
        title = f"{about.get('kind', 'an object')} {name}"[:100].strip()
        raise BadInput(f"{title} in the manifest: {problem}", hint=SHOWS) from None


def _yaml(text: str) -> Iterable[Object]:
    """Return the YAML documents in TEXT, read as kubectl does: plain `2026-01-01`, `22:22` and `=` are strings."""
    import yaml

    tags = "tag:yaml.org,2002:"

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            tag = super().resolve(kind, value, implicit)
            number = tag in (f"{tags}int", f"{tags}float")
            text = tag in (f"{tags}timestamp", f"{tags}value") or (number and ":" in value)
            return f"{tags}str" if text else tag

    try:
        yield from yaml.load_all(text, Loader=Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        line = str(problem).partition("\n")[0]
        raise BadInput(f"the manifest is not YAML: {line}", hint=SHOWS) from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)
