"""What a release sets in a manifest, whatever its objects are called."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from longshore.errors import BadInput
from longshore.rollout import asked
from longshore.rollout.asked import Asked
from longshore.rollout.shape import DIGEST, MANIFEST, REVISION, shape
from longshore.settings.project import Application
from tests.unit.rollout.things import TARGET, Thing, item, variables

OWN = Application(contract="own", port=8000, health="/ping", readiness="/up", version="/about").keeps
NONE = Application(contract="none", port=8000).keeps
STOP = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "touch /run/mark && sleep 7"]}}}


def workload(name: str, labels: dict[str, str], kind: str = "Deployment", **container: Any) -> Thing:
    own = {"name": "main", "image": TARGET.image, **container}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [own]}}
    return item(kind, name, "apps/v1", spec={"template": template})


def service(labels: dict[str, str], name: str = "front", **port: Any) -> Thing:
    return item("Service", name, spec={"type": "NodePort", "selector": labels, "ports": [{"port": 80, **port}]})


def web(**container: Any) -> tuple[Thing, Thing]:
    return workload("site", {"tier": "web", "part": "all"}, **container), service({"tier": "web"})


def shaped(*objects: Thing, **more: Any) -> Thing:
    """The container of the first of OBJECTS, once they have their shape."""
    shape(list(objects), replace(TARGET, **more), "mark")
    return container_of(objects[0])


def container_of(thing: Thing) -> Thing:
    (only,) = thing["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_the_deployment_behind_the_node_port_is_the_one_whatever_it_is_called() -> None:
    deployment, front = web()
    worker = workload("jobs", {"tier": "worker"})
    container = shaped(deployment, worker, front, item("Service", "inner", spec={"ports": [{"port": 1}]}))
    assert front["spec"]["ports"][0]["nodePort"] == 30123
    annotations = deployment["metadata"]["annotations"]
    assert {key: annotations[key] for key in (MANIFEST, REVISION, DIGEST)} == {
        MANIFEST: "mark",
        REVISION: TARGET.revision,
        DIGEST: TARGET.digest,
    }
    expected = Asked(version="/.longshore/version", service="front", workload="site")
    assert asked.of([worker, deployment]) == expected
    assert variables(container)["REVISION"] == TARGET.revision
    assert variables(container)["IMAGE_DIGEST"] == TARGET.digest
    assert container["ports"] == [{"name": "http", "containerPort": 8000, "protocol": "TCP"}]
    assert "annotations" not in worker["metadata"]
    assert variables(container_of(worker)).keys() == {"HOME"}


def test_the_port_is_the_settings() -> None:
    deployment, _ = web(ports=[{"containerPort": 5000}])
    front = service({"tier": "web"}, targetPort=5000)
    assert shaped(deployment, front)["ports"] == [{"containerPort": 8000}]
    assert front["spec"]["ports"][0]["targetPort"] == 8000
    proxied = service({"tier": "web"}, targetPort=8080)  # of another container
    shaped(web(ports=[{"containerPort": 5000}])[0], proxied)
    assert proxied["spec"]["ports"][0]["targetPort"] == 8080


PROBE = {"httpGet": {"path": "/old", "port": "http", "scheme": "HTTP"}, "periodSeconds": 3}


@pytest.mark.parametrize(
    ("contract", "health", "readiness"),
    [(TARGET.contract, "/.longshore/livez", "/.longshore/readyz"), (OWN, "/ping", "/up")],
)
def test_probes_ask_what_the_contract_says(contract: Any, health: str, readiness: str) -> None:
    ports = [{"name": "http", "containerPort": 8000}]
    deployment, front = web(
        ports=ports, startupProbe=dict(PROBE), readinessProbe=dict(PROBE), livenessProbe={"tcpSocket": {"port": 1}}
    )
    container = shaped(deployment, front, contract=contract)
    asks = {"path": readiness, "port": "http", "scheme": "HTTP"}
    assert container["readinessProbe"] == {"httpGet": asks, "periodSeconds": 3}
    assert container["startupProbe"]["httpGet"]["path"] == health
    assert container["livenessProbe"] == {"httpGet": {"path": health, "port": "http"}}


def test_a_probe_that_runs_a_program_stays() -> None:
    probe = {"exec": {"command": ["true"]}}
    deployment, front = web(readinessProbe=dict(probe))
    container = shaped(deployment, front)
    assert container["readinessProbe"] == probe
    assert "livenessProbe" not in container


def test_without_a_contract_probes_ask_the_port_and_a_drain_needs_no_shell() -> None:
    deployment, front = web(readinessProbe=dict(PROBE), lifecycle=STOP)
    container = shaped(deployment, front, contract=NONE)
    assert container["readinessProbe"] == {"tcpSocket": {"port": "http"}, "periodSeconds": 3}
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert asked.of([deployment]).version == ""


def test_what_is_injected_learns_where_the_mark_of_a_drain_is() -> None:
    stop = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "touch /run/mark && sleep 7"]}}}
    container = shaped(*web(lifecycle=stop))
    assert variables(container)["LONGSHORE_DRAINING"] == "/run/mark"
    assert container["lifecycle"] == stop


def test_what_the_manifest_says_of_a_folder_or_a_variable_stays() -> None:
    env = [{"name": "HOME", "value": "/home/me"}, {"name": "PORT", "value": "9"}, {"name": "REVISION", "value": "?"}]
    mounts = [{"name": "mine", "mountPath": "/tmp/"}]
    container = shaped(*web(env=env, volumeMounts=mounts))
    assert {name: variables(container)[name] for name in ("HOME", "PORT", "REVISION")} == {
        "HOME": "/home/me",
        "PORT": "9",
        "REVISION": TARGET.revision,
    }
    assert container["volumeMounts"] == [{"name": "mine", "mountPath": "/tmp/"}]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "CronJob"])
def test_every_workload_of_the_image_may_write_to_its_folders(kind: str) -> None:
    more = workload("more", {"tier": "worker"}, kind)
    pod = more["spec"]["template"]["spec"]
    if kind == "CronJob":
        more["spec"] = {"jobTemplate": {"spec": {"template": more["spec"]["template"]}}}
    shaped(*web(), more, writable=("/srv/logs", "/srv/files"))
    (container,) = pod["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tmp", "/srv/logs", "/srv/files"]
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp", "writable-1", "writable-2"]
    assert variables(container)["HOME"] == "/tmp"


def test_secrets_are_files_and_variables_where_that_is_wanted() -> None:
    container = shaped(*web(), secret="s", files=("KEY", "URL"))
    assert variables(container)["KEY_FILE"] == "/run/secrets/app/KEY"
    assert "LONGSHORE_EXPANDS" not in variables(container)
    container = shaped(*web(), secret="s", files=("KEY", "URL"), contract=replace(TARGET.contract, expands=True))
    assert variables(container)["LONGSHORE_EXPANDS"] == "KEY URL"


def test_what_the_public_reaches_has_to_be_clear() -> None:
    deployment, front = web()
    with pytest.raises(BadInput, match="the manifest has no Service of type NodePort"):
        shaped(deployment)
    with pytest.raises(BadInput, match=r"has 2 Services of type NodePort \(front, back\)"):
        shaped(deployment, front, service({"tier": "web"}, "back"))
    with pytest.raises(BadInput, match=r"leads to no Deployment of the image just built \(site\)"):
        shaped(deployment, service({"tier": "api"}))
