"""What the CloudWatch Observability add-on does to pods: Application Signals instruments workloads behind a Service.

In EKS a webhook of the add-on's operator does it. Here mutating policies of the API server do, so nothing has to run.
Sources: the chart amazon-cloudwatch-observability and amazon-cloudwatch-agent-operator, auto/monitor.go (which
workloads, and when) and sdk.go (what is injected; Java's container alone has no securityContext: its issue 361).
Not done here: `exclude`, `customSelector`, and the containers of other languages, which get the application's context.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from localcloud.aws.bindings import Object, asking
from localcloud.aws.eks import all_clusters, extra
from localcloud.aws.options import current
from longshore.kubernetes.api import Refused

ADDON = "amazon-cloudwatch-observability"
GROUP = "/apis/admissionregistration.k8s.io/v1beta1"
LANGUAGES = ("java", "python", "dotnet", "nodejs")
ANNOTATION = "instrumentation.opentelemetry.io/inject-{}"
NAME = "opentelemetry-auto-instrumentation-java"
IMAGE = "public.ecr.aws/aws-observability/adot-autoinstrumentation-java:v2.20.0"
WORKLOADS, PODS = f"{ADDON}-workloads", f"{ADDON}-pods"

SELECTED = """
has(params.spec.selector) && params.spec.selector.size() > 0 && has(object.spec.template.metadata.labels) &&
params.spec.selector.all(key, key in object.spec.template.metadata.labels &&
  object.spec.template.metadata.labels[key] == params.spec.selector[key])
"""
# A workload whose pods do not change is left alone unless the add-on may restart them.
RESTARTED = "request.operation == 'CREATE' || object.spec.template != oldObject.spec.template"
ANNOTATED = """
Object{spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{annotations: %s}}}}
"""
ASKED = f"""
has(object.metadata.annotations) && '{ANNOTATION.format("java")}' in object.metadata.annotations &&
!(has(object.spec.initContainers) && object.spec.initContainers.exists(each, each.name == '{NAME}'))
"""
# Without the container's command: a policy may not add to lists that are only ever replaced as a whole.
INJECTED = f"""
Object{{spec: Object.spec{{
  volumes: [Object.spec.volumes{{name: '{NAME}', emptyDir: Object.spec.volumes.emptyDir{{}}}}],
  initContainers: [Object.spec.initContainers{{
    name: '{NAME}', image: '{IMAGE}',
    volumeMounts: [Object.spec.initContainers.volumeMounts{{
      name: '{NAME}', mountPath: '/otel-auto-instrumentation-java'}}]
  }}],
  containers: object.spec.containers.map(each, Object.spec.containers{{
    name: each.name,
    env: [Object.spec.containers.env{{
      name: 'JAVA_TOOL_OPTIONS', value: ' -javaagent:/otel-auto-instrumentation-java/javaagent.jar'}}],
    volumeMounts: [Object.spec.containers.volumeMounts{{
      name: '{NAME}', mountPath: '/otel-auto-instrumentation-java'}}]
  }})
}}}}
"""


class AutoMonitor:
    """Keeps the API server's policies equal to what the add-ons of the clusters are configured to do."""

    def __init__(self) -> None:
        self._applied: tuple[str, list[Object]] | None = None  # endpoint and policies of the last update

    def ensure(self, addons: Iterable[Object]) -> None:
        """Make the API server's policies those of ADDONS. Raises OSError if it does not accept them."""
        if "kubeconfig" not in current().real_cluster():
            return  # it is not ours
        objects = [item for addon in addons for item in policies(addon)]
        wanted = (str(current().real_cluster().get("endpoint")), objects)
        if wanted == self._applied:
            return
        with asking() as ask:
            if ask is None:
                return
            for item in objects:
                ask(f"{_path(item)}?fieldManager=longshore-aws&force=true", "PATCH", item)
            for path in (_path(item) for item in (*_pair(WORKLOADS, {}), *_pair(PODS, {}))):
                if path not in map(_path, objects):
                    try:
                        ask(path, "DELETE")
                    except Refused as problem:
                        if problem.status != 404:
                            raise
            self._applied = wanted


AUTO_MONITOR = AutoMonitor()


def follow(log: Callable[[str], None]) -> None:
    """Bring the API server's policies up to date; what keeps it from that is told to LOG."""
    name = current().real_cluster().get("name")
    states = [extra(cluster) for cluster in all_clusters() if name in (None, cluster.name)]
    try:
        AUTO_MONITOR.ensure(addon for state in states for addon in state.addons.values())
    except OSError as problem:
        log(f"cannot do in the API server what the CloudWatch add-on does: {problem}")


def policies(addon: Object) -> Iterator[Object]:
    """Yield the policies that do what ADDON does, and their bindings; none for another add-on or one that does not."""
    setting = json.loads(addon.get("configurationValues") or "{}")
    for key in ("manager", "applicationSignals", "autoMonitor"):
        setting = setting.get(key) or {}
    languages = setting.get("languages") or LANGUAGES
    if addon["addonName"] != ADDON or not setting.get("monitorAllServices", True):
        return
    annotations = json.dumps({ANNOTATION.format(language): "true" for language in languages})
    conditions = {"selected": SELECTED} | ({} if setting.get("restartPods") else {"restarted": RESTARTED})
    kinds = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments", "statefulsets", "daemonsets"]}
    annotated = _specification(kinds, ["CREATE", "UPDATE"], conditions, ANNOTATED % annotations)
    yield from _pair(WORKLOADS, annotated | {"paramKind": {"apiVersion": "v1", "kind": "Service"}})
    kinds = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    yield from _pair(PODS, _specification(kinds, ["CREATE"], {"asked": ASKED}, INJECTED))


def _specification(kinds: Object, operations: list[str], conditions: dict[str, str], mutation: str) -> Object:
    return {
        "failurePolicy": "Ignore",  # as the chart's webhooks
        "reinvocationPolicy": "Never",
        "matchConstraints": {"resourceRules": [{**kinds, "operations": operations}]},
        "matchConditions": [{"name": name, "expression": text.strip()} for name, text in conditions.items()],
        "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": mutation.strip()}}],
    }


def _pair(name: str, specification: Object) -> tuple[Object, Object]:
    """Return a policy and its binding; where it has parameters, they are all those in the object's namespace."""
    bound: dict[str, Any] = {"policyName": name}
    if "paramKind" in specification:
        bound["paramRef"] = {"selector": {}, "parameterNotFoundAction": "Allow"}
    policy = _object("MutatingAdmissionPolicy", name, specification)
    return policy, _object("MutatingAdmissionPolicyBinding", name, bound)


def _object(kind: str, name: str, specification: Object) -> Object:
    group = GROUP.removeprefix("/apis/")
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": specification}


def _path(item: Object) -> str:
    kinds = "mutatingadmissionpolicies" if item["kind"].endswith("Policy") else "mutatingadmissionpolicybindings"
    return f"{GROUP}/{kinds}/{item['metadata']['name']}"
