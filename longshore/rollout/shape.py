"""What a release sets in the rendered objects: by image and Service, so that no name in a manifest is a fixed one.

The Service of type NodePort is what the load balancer sends to; the Deployments that it leads to and that run the image
are what answers at the public address. How long a probe or a drain takes is the manifest's to say, and what is asked
follows from the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from longshore.errors import BadInput
from longshore.rollout import asked, workloads
from longshore.rollout.asked import Asked
from longshore.rollout.selectors import specified
from longshore.rollout.workloads import Workloads
from longshore.settings.project import Application, Contract

MANIFEST = "longshore.dev/manifest"  # hash of everything that the manifest was rendered from
REVISION = "longshore.dev/revision"
DIGEST = "longshore.dev/digest"
SECRETS = "/run/secrets/app"  # where the container finds a file for each of the settings' secrets
MARK = re.compile(r"touch (\S+) && sleep (\d+)")  # what tells the application that it drains, and for how long it may
OWN = Application(contract="own").keeps
TMP = "/tmp"  # noqa: S108 # nosec B108 - in the container, whose only one it is

Object = dict[str, Any]


class Target(Struct, frozen=True, kw_only=True):
    """What is released: the image `repository`@`digest` of `revision`, from the folder k8s/overlays/`overlay`.

    `node_port` is where the load balancer reaches the Service, `hosts` are the names that it answers to. The pods mount
    `files` of the Secret `secret`, if any, and may write to the folders `writable`. `workloads` run beside them.
    """

    repository: str
    digest: str
    revision: str
    namespace: str
    node_port: int
    overlay: str
    contract: Contract = OWN
    hosts: tuple[str, ...] = ()
    secret: str = ""
    files: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    workloads: Workloads = ()

    @property
    def image(self) -> str:
        return f"{self.repository}@{self.digest}"


def shape(objects: list[Object], target: Target, mark: str) -> None:
    """Set in OBJECTS what is known at release time, and add the workloads.

    Raises BadInput where it is not clear what the public reaches.
    """
    for pod, container in _running(objects, target.image):
        _writable(pod, container, target)
        _secrets(pod, container, target)
    deployments = [item for item in objects if item["kind"] == "Deployment" and _own(item, target.image)]
    if not deployments:
        return  # `render.check` says so
    service = _service(objects)
    selector = (service["spec"].get("selector") or {}).items()
    reached = [item for item in deployments if selector and selector <= _labels(item).items()]
    if not reached:
        names = ", ".join(item["metadata"]["name"] for item in deployments)
        sentence = f"the Service {service['metadata']['name']} leads to no Deployment of the image just built ({names})"
        raise BadInput(sentence, hint="its `selector` has to name labels of the Deployment's pods")
    service["spec"]["ports"][0]["nodePort"] = target.node_port
    contract, name = target.contract, service["metadata"]["name"]
    for item in reached:
        way = Asked(
            version=contract.version, check=contract.check, service=name, workload=reached[0]["metadata"]["name"]
        )
        noted = {MANIFEST: mark, REVISION: target.revision, DIGEST: target.digest, asked.ANNOTATION: way.note}
        item["metadata"]["annotations"] = (item["metadata"].get("annotations") or {}) | noted
        (container,) = _own(item, target.image)[:1]
        _port(container, service, contract.port)
        _probes(container, contract)
        _environment(container, target)
    for item in workloads.add(objects, reached[0], target.image, target.workloads):
        if item["kind"] in ("Deployment", "CronJob"):
            item["metadata"]["annotations"] = {MANIFEST: mark, REVISION: target.revision, DIGEST: target.digest}


def _running(objects: list[Object], image: str) -> Iterator[tuple[Object, Object]]:
    """Yield the pod's spec and the container of whatever among OBJECTS runs IMAGE."""
    for item in objects:
        for template in filter(None, (_template(item),)):
            for container in (*template["spec"]["containers"], *(template["spec"].get("initContainers") or ())):
                if container.get("image") == image:
                    yield template["spec"], container


def _template(item: Object) -> Object | None:
    """Return the template of the pods that ITEM makes, None where it makes none."""
    spec = specified(item)
    if item["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    return template if isinstance(pod, dict) and isinstance(pod.get("containers"), list) else None


def _own(item: Object, image: str) -> list[Object]:
    """Return the containers of ITEM that run IMAGE."""
    template = _template(item)
    return [each for each in template["spec"]["containers"] if each.get("image") == image] if template else []


def _labels(item: Object) -> dict[str, str]:
    return (item["spec"]["template"].get("metadata") or {}).get("labels") or {}


def _service(objects: list[Object]) -> Object:
    """Return the Service that the load balancer sends to."""
    services = [item for item in objects if item["kind"] == "Service" and specified(item).get("type") == "NodePort"]
    if len(services) == 1 and services[0]["spec"].get("ports"):
        return services[0]
    names = ", ".join(item["metadata"]["name"] for item in services)
    raise BadInput(
        f"the manifest has {len(services)} Services of type NodePort ({names})"
        if services[1:]
        else "the manifest has no Service of type NodePort with a port",
        hint="the load balancer sends to the nodes, at the port of just one Service",
    )


def _port(container: Object, service: Object, port: int) -> None:
    """Have CONTAINER listen on PORT where its manifest says another, and SERVICE lead there."""
    ports = container.setdefault("ports", [])
    to = service["spec"]["ports"][0]
    if not ports:
        ports.append({"name": "http", "containerPort": port, "protocol": "TCP"})
    elif to.get("targetPort") == ports[0]["containerPort"]:
        to["targetPort"] = port
    ports[0]["containerPort"] = port


def _probes(container: Object, contract: Contract) -> None:
    """Have CONTAINER's probes ask what CONTRACT says; one that runs a program stays."""
    port = container["ports"][0].get("name") or contract.port
    paths = {"startup": contract.health, "readiness": contract.readiness, "liveness": contract.health}
    for kind, path in paths.items():
        probe = container.get(f"{kind}Probe") or {}
        if not probe.keys() & {"httpGet", "tcpSocket"}:
            continue
        before = probe.pop("httpGet", None) or {}
        probe.pop("tcpSocket", None)
        probe |= {"httpGet": {**before, "path": path, "port": port}} if path else {"tcpSocket": {"port": port}}
    stop = (container.get("lifecycle") or {}).get("preStop") or {}
    marked = MARK.fullmatch(((stop.get("exec") or {}).get("command") or [""])[-1])
    if marked and not contract.readiness:  # nobody looks for the mark, and there may be no shell to make it
        container["lifecycle"]["preStop"] = {"sleep": {"seconds": int(marked[2])}}
    if marked and contract.injected:
        _variable(container, "LONGSHORE_DRAINING", marked[1])


def _environment(container: Object, target: Target) -> None:
    _variable(container, "REVISION", target.revision)
    _variable(container, "IMAGE_DIGEST", target.digest)
    _variable(container, "PORT", str(target.contract.port), over=False)
    if not any(variable["name"] == "POD_NAME" for variable in container["env"]):
        container["env"].append({"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    if target.hosts:
        _variable(container, "APP_TRUSTED_HOSTS", ",".join(target.hosts))


def _secrets(pod: Object, container: Object, target: Target) -> None:
    """Mount the Secret in CONTAINER, and say where each of its files is."""
    if not target.secret:
        return
    _mount(
        pod,
        container,
        "secrets",
        SECRETS,
        {"secret": {"secretName": target.secret, "defaultMode": 0o440}},
        readOnly=True,
    )
    for name in target.files:
        _variable(container, f"{name}_FILE", f"{SECRETS}/{name}")
    if target.contract.expands and target.files:
        _variable(container, "LONGSHORE_EXPANDS", " ".join(target.files))


def _variable(container: Object, name: str, value: str, *, over: bool = True) -> None:
    """Set the variable NAME of CONTAINER to VALUE; not OVER what it says already."""
    env = container["env"] = container.get("env") or []
    known = next((variable for variable in env if variable["name"] == name), None)
    if known is None:
        env.append({"name": name, "value": value})
    elif over:
        known.pop("valueFrom", None)
        known["value"] = value


def _writable(pod: Object, container: Object, target: Target) -> None:
    """Give CONTAINER, whose root is read-only, folders to write to."""
    _mount(pod, container, "tmp", TMP, {"emptyDir": {"sizeLimit": "64Mi"}})
    _variable(container, "HOME", TMP, over=False)
    for number, folder in enumerate(target.writable, start=1):
        _mount(pod, container, f"writable-{number}", folder, {"emptyDir": {}})


def _mount(pod: Object, container: Object, name: str, path: str, source: Object, **options: bool) -> None:
    """Mount a volume of SOURCE at PATH unless the manifest has one there."""
    mounts, volumes = container.setdefault("volumeMounts", []), pod.setdefault("volumes", [])
    if any(mount["mountPath"].rstrip("/") == path for mount in mounts):
        return
    if not any(volume["name"] == name for volume in volumes):
        volumes.append({"name": name, **source})
    mounts.append({"name": name, "mountPath": path, **options})
