"""The form that Kubernetes has for what a release reads and changes in objects; the API server checks all else."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from longshore.errors import BadInput
from longshore.kubernetes.paths import VERSIONS
from longshore.rollout.manifest import SHOWS, Object

QUANTITY = r"^[+-]?(\d+\.?\d*|\.\d+)([numkMGTPE]?|[KMGTPE]i|[eE][+-]?\d+)\Z"


class _Named(Struct):
    name: str


class _Port(Struct):
    containerPort: int  # noqa: N815 - Kubernetes' own names, here and below


class _Mount(_Named):
    mountPath: str  # noqa: N815


class _Exec(Struct):
    command: list[str] = []


class _Handler(Struct):
    exec: _Exec | None = None
    httpGet: dict[str, Any] | None = None  # noqa: N815
    tcpSocket: dict[str, Any] | None = None  # noqa: N815


class _Lifecycle(Struct):
    preStop: _Handler | None = None  # noqa: N815


Quantities = dict[str, Annotated[str, Meta(pattern=QUANTITY)] | int | float]


class _Resources(Struct):
    requests: Quantities = {}
    limits: Quantities = {}


class _Container(_Named):
    env: list[_Named] = []
    ports: list[_Port] = []
    volumeMounts: list[_Mount] = []  # noqa: N815
    resources: _Resources | None = None
    lifecycle: _Lifecycle | None = None
    startupProbe: _Handler | None = None  # noqa: N815
    readinessProbe: _Handler | None = None  # noqa: N815
    livenessProbe: _Handler | None = None  # noqa: N815


class _Pod(Struct):
    containers: list[_Container]
    initContainers: list[_Container] = []  # noqa: N815
    volumes: list[_Named] = []
    imagePullSecrets: list[dict[str, str]] = []  # noqa: N815


class _Labels(Struct):
    labels: dict[str, str] = {}


class _Template(Struct):
    spec: _Pod
    metadata: _Labels | None = None


class _Spec(Struct):
    template: _Template
    minReadySeconds: int = 0  # noqa: N815
    ttlSecondsAfterFinished: int = 0  # noqa: N815


class _Workload(Struct):
    spec: _Spec


class _Schedule(Struct):
    jobTemplate: _Workload  # noqa: N815


class _CronJob(Struct):
    spec: _Schedule


class _Single(Struct):
    spec: _Pod


class _Ports(Struct):
    ports: list[dict[str, Any]] = []
    selector: dict[str, str] = {}


class _Service(Struct):
    spec: _Ports | None = None


WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
FORMS = dict.fromkeys(WORKLOADS, _Workload) | {"CronJob": _CronJob, "Pod": _Single, "Service": _Service}


def check(item: Object) -> None:
    """Raise BadInput where ITEM is an object of Kubernetes' own and not of its kind's form."""
    if item["kind"] not in FORMS or item["apiVersion"] != VERSIONS[item["kind"]]:
        return
    try:
        msgspec.convert(item, FORMS[item["kind"]])
    except msgspec.ValidationError as problem:
        sentence = f"{item['kind']} {item['metadata']['name']} is not of the form that Kubernetes takes: {problem}"
        raise BadInput(sentence, hint=SHOWS) from None
