"""The manifest of a release, rendered by the real kustomize from the project's own overlays."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from application.settings import Settings
from localcloud.build.programs import KUBERNETES
from longshore.process.command import query
from longshore.process.runner import Runner
from longshore.rollout.manifest import Manifest
from longshore.rollout.render import STAND_INS, _kustomized, render
from longshore.rollout.shape import DIGEST, MANIFEST, REVISION, Target, shape
from longshore.settings.load import load, process_environment
from longshore.settings.workloads import WorkloadTable
from tests.unit.sources import snapshot_of

ROOT = Path(__file__).parent.parent.parent
TARGET = Target(
    repository="registry:5001/shop/app",
    digest="sha256:" + "a" * 64,
    revision="0123456789ab",
    namespace="shop",
    node_port=30080,
    hosts=("shop.example.com", "www.shop.example.com"),
    overlay="local",
)


@pytest.fixture
def kubectl() -> str:
    settings, runner = load(ROOT, process_environment()), Runner(os.environ)
    KUBERNETES.start(settings, runner, lambda *_: None)
    return str(KUBERNETES.path(settings, "kubectl"))


def rendered(root: Path, work: Path, kubectl: str, target: Target = TARGET) -> Manifest:
    k8s = snapshot_of(root / "k8s").fingerprint(["**"])
    return render(lambda: root, k8s, work, kubectl, target, Runner(os.environ))


def test_a_release_of_another_image_is_rendered_without_kustomize(tmp_path: Path, kubectl: str) -> None:
    # Hexadecimal, and yet YAML would read it as a number.
    second = replace(TARGET, revision="12345678e901", digest="sha256:" + "b" * 64)
    first = rendered(ROOT, tmp_path, kubectl)
    after = rendered(ROOT, tmp_path, "/no/kubectl", second)
    assert first.mark != after.mark
    for target, manifest in ((TARGET, first), (second, after)):
        (deployment,) = (item for item in manifest.rolled_out if item["kind"] == "Deployment")
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        env = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert container["image"] == f"{target.repository}@{target.digest}"
        assert (env["REVISION"], env["IMAGE_DIGEST"]) == (target.revision, target.digest)
        noted = deployment["metadata"]["annotations"]
        assert [noted[key] for key in (MANIFEST, REVISION, DIGEST)] == [manifest.mark, target.revision, target.digest]
        whole = _kustomized(ROOT, tmp_path / target.revision, kubectl, target, Runner(os.environ))
        shape(list(whole.released), target, STAND_INS["mark"])
        expected = Manifest.parse(whole.text.replace(STAND_INS["mark"], manifest.mark), manifest.mark)
        assert manifest == replace(expected, rights=whole.rights)
        assert [right["kind"] for right in manifest.rights] == ["Namespace", "Role", "RoleBinding"]


def test_what_the_manifest_says_itself_is_left_as_it_is(tmp_path: Path, kubectl: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    file = tmp_path / "k8s" / "base" / "deployment.yaml"
    side = {"name": "side", "image": "registry:5001/shop/app@sha256:" + "0" * 64}
    deployment = yaml.safe_load(file.read_text())
    deployment["spec"]["template"]["spec"]["containers"].append(side)
    deployment["metadata"]["annotations"] |= {"example.com/first": "7" * 40, "example.com/second": "8" * 32}
    file.write_text(yaml.safe_dump(deployment))
    strings = rendered(tmp_path, tmp_path / "work", kubectl).strings
    assert {side["image"], "7" * 40, "8" * 32} <= strings


def test_another_overlay_or_manifest_is_rendered_anew(tmp_path: Path, kubectl: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    before = rendered(tmp_path, tmp_path / "work", kubectl)
    file = tmp_path / "k8s" / "base" / "service.yaml"
    service = yaml.safe_load(file.read_text())
    service["metadata"].setdefault("annotations", {})["example.com/note"] = "a word"
    file.write_text(yaml.safe_dump(service))
    after = rendered(tmp_path, tmp_path / "work", kubectl)
    assert before.mark != after.mark
    assert "a word" in after.strings - before.strings
    production = rendered(tmp_path, tmp_path / "work", kubectl, replace(TARGET, overlay="production"))
    assert production.rolled_out != after.rolled_out


def test_what_an_overlay_opens_is_added_to_what_the_base_allows(tmp_path: Path, kubectl: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    file = tmp_path / "k8s" / "overlays" / "production" / "kustomization.yaml"
    lines = file.read_text().splitlines()
    opened = [line.removeprefix("# ") if "components" in line else line for line in lines]
    file.write_text("\n".join(opened) + "\n")
    policies = {
        item["metadata"]["name"]: item["spec"]
        for item in rendered(tmp_path, tmp_path / "work", kubectl, replace(TARGET, overlay="production")).rolled_out
        if item["kind"] == "NetworkPolicy"
    }
    assert policies.keys() == {"default-deny", "app", "app-database", "app-aws-services"}
    assert policies["app-database"]["egress"][0]["ports"] == [{"port": 5432, "protocol": "TCP"}]


def test_workloads_beside_the_service_are_rendered_and_one_by_hand_stays_apart(tmp_path: Path, kubectl: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    base = tmp_path / "k8s" / "base"
    queue = yaml.safe_load((base / "deployment.yaml").read_text().replace("name: app\n", "name: queue\n"))
    queue["spec"]["template"]["spec"]["containers"][0] = {"name": "queue", "image": "app", "command": ["serve-queue"]}
    (base / "queue.yaml").write_text(yaml.safe_dump(queue))
    kustomization = (base / "kustomization.yaml").read_text()
    (base / "kustomization.yaml").write_text(kustomization.replace("resources:\n", "resources:\n  - queue.yaml\n"))
    mail = WorkloadTable(kind="worker", command=["rq"], replicas=2)
    night = WorkloadTable(kind="cron", command=["report"], schedule="@daily")
    target = replace(TARGET, workloads=(("mail", mail), ("night", night)))
    manifest = rendered(tmp_path, tmp_path / "work", kubectl, target)
    found = {(item["kind"], item["metadata"]["name"]): item for item in manifest.rolled_out}
    assert {name for kind, name in found if kind in ("Deployment", "CronJob")} == {
        "app",
        "queue",
        "app-mail",
        "app-night",
    }
    selector = found["Service", "app"]["spec"]["selector"].items()
    pods = {name: item["spec"]["template"] for (kind, name), item in found.items() if kind == "Deployment"}
    assert [name for name, pod in pods.items() if selector <= pod["metadata"]["labels"].items()] == ["app"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods.values()} == {TARGET.image}
    assert found["NetworkPolicy", "app-workloads"]["spec"]["egress"] == found["NetworkPolicy", "app"]["spec"]["egress"]
    again = rendered(tmp_path, tmp_path / "work", "/no/kubectl", target)
    assert again == manifest, "and kept as all else is"
    assert manifest.mark != rendered(tmp_path, tmp_path / "work", kubectl).mark


def test_the_autoscaler_of_nodes_is_rendered_for_its_cluster(kubectl: str) -> None:
    text = Runner(os.environ).run(query(kubectl, "kustomize", str(ROOT / "k8s" / "cluster-autoscaler"))).stdout
    (deployment,) = (item for item in yaml.safe_load_all(text) if item["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {item["name"]: item["value"] for item in container["env"]} == {
        "CLUSTER": "shop-production",
        "AWS_REGION": "eu-central-1",
    }


STRANGE = """apiVersion: v1
kind: ConfigMap
metadata:
  name: strange
  annotations: {day: 2026-01-01, time: 2026-01-01T00:00:00Z, ports: 22:22, ratio: 1:30.5, sum: =}
data: {number: "0123", exponent: "1e3", word: "yes", script: "---\\nkind: Namespace\\n"}
"""


def test_we_read_what_kustomize_writes_as_kubectl_does(tmp_path: Path, kubectl: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    base = tmp_path / "k8s" / "base"
    (base / "strange.yaml").write_text(STRANGE)
    kustomization = yaml.safe_load((base / "kustomization.yaml").read_text())
    kustomization["resources"].append("strange.yaml")
    (base / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    (ours,) = (
        item for item in rendered(tmp_path, tmp_path / "work", kubectl).rolled_out if item["kind"] == "ConfigMap"
    )
    text = Runner(os.environ).run(query(kubectl, "kustomize", str(base))).stdout
    (document,) = (document for document in text.split("\n---\n") if "kind: ConfigMap" in document)
    local = ("annotate", "--local", "--filename=-", "--output=json", "example.com/a=b")
    theirs = json.loads(Runner(os.environ).run(query(kubectl, *local, stdin=document)).stdout)
    del theirs["metadata"]["annotations"]["example.com/a"]
    assert (ours["data"], ours["metadata"]["annotations"]) == (theirs["data"], theirs["metadata"]["annotations"])


@pytest.mark.parametrize("overlay", ["local", "staging", "production"])
def test_the_hosts_served_are_those_that_terraform_makes(tmp_path: Path, kubectl: str, overlay: str) -> None:
    manifest = rendered(ROOT, tmp_path, kubectl, replace(TARGET, overlay=overlay))
    (deployment,) = (item for item in manifest.rolled_out if item["kind"] == "Deployment")
    env = {each["name"]: each.get("value") for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["APP_TRUSTED_HOSTS"] == "shop.example.com,www.shop.example.com"
    assert Settings.read({name: value for name, value in env.items() if value}).trusted_hosts == TARGET.hosts
