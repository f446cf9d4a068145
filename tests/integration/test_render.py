"""The manifest of a release, rendered by the real kustomize from the project's own overlays."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from longshore.local.build import kubernetes
from longshore.rollout.render import (
    DIGEST,
    MANIFEST,
    REVISION,
    STAND_INS,
    Target,
    _kustomized,
    _manifest,
    render,
)
from longshore.runner import Runner
from longshore.settings import load, process_environment

ROOT = Path(__file__).parent.parent.parent
TARGET = Target(
    repository="registry:5001/shop/app", digest="sha256:" + "a" * 64, revision="0123456789ab", namespace="shop",
    node_port=30080, overlay="local",
)  # fmt: skip


@pytest.fixture
def kubectl() -> str:
    settings, runner = load(ROOT, process_environment()), Runner(os.environ)
    kubernetes.start(settings, runner, lambda *_: None)
    return str(kubernetes.kubectl(settings))


def test_a_release_of_another_image_is_rendered_without_kustomize(tmp_path: Path, kubectl: str) -> None:
    runner = Runner(os.environ)
    # Hexadecimal, and yet YAML would read it as a number.
    second = replace(TARGET, revision="12345678e901", digest="sha256:" + "b" * 64)
    first = render(ROOT, tmp_path, kubectl, TARGET, runner)
    after = render(ROOT, tmp_path, "/no/kubectl", second, runner)
    assert first.mark != after.mark
    for target, manifest in ((TARGET, first), (second, after)):
        (deployment,) = (thing for thing in manifest.objects() if thing["kind"] == "Deployment")
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        env = {one["name"]: one.get("value") for one in container["env"]}
        assert container["image"] == f"{target.repository}@{target.digest}"
        assert (env["REVISION"], env["IMAGE_DIGEST"]) == (target.revision, target.digest)
        noted = deployment["metadata"]["annotations"]
        assert [noted[key] for key in (MANIFEST, REVISION, DIGEST)] == [
            manifest.mark,
            target.revision,
            target.digest,
        ]
        whole = _kustomized(ROOT, tmp_path / target.revision, kubectl, target, runner)
        expected = _manifest(whole.replace(STAND_INS["mark"], manifest.mark), manifest.mark)
        assert manifest.objects() == expected.objects()


def test_what_the_manifest_says_itself_is_left_as_it_is(tmp_path: Path, kubectl: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    file = tmp_path / "k8s" / "base" / "deployment.yaml"
    side = {"name": "side", "image": "registry:5001/shop/app@sha256:" + "0" * 64}
    deployment = yaml.safe_load(file.read_text())
    deployment["spec"]["template"]["spec"]["containers"].append(side)
    deployment["metadata"]["annotations"] |= {"example.com/first": "7" * 40, "example.com/second": "8" * 32}
    file.write_text(yaml.safe_dump(deployment))
    text = render(tmp_path, tmp_path / "work", kubectl, TARGET, Runner(os.environ)).text
    for said in (side["image"], "7" * 40, "8" * 32):
        assert said in text


def test_another_overlay_or_manifest_is_rendered_anew(tmp_path: Path, kubectl: str) -> None:
    runner = Runner(os.environ)
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    before = render(tmp_path, tmp_path / "work", kubectl, TARGET, runner)
    file = tmp_path / "k8s" / "base" / "service.yaml"
    service = yaml.safe_load(file.read_text())
    service["metadata"].setdefault("annotations", {})["example.com/note"] = "a word"
    file.write_text(yaml.safe_dump(service))
    after = render(tmp_path, tmp_path / "work", kubectl, TARGET, runner)
    assert before.mark != after.mark
    assert "example.com/note: a word" in after.text
    assert "example.com/note" not in before.text
    production = render(tmp_path, tmp_path / "work", kubectl, replace(TARGET, overlay="production"), runner)
    assert production.text != after.text
