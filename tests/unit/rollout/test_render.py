"""What is set at release time on top of an overlay."""

from __future__ import annotations

import dataclasses
import json

import pytest

from longshore.errors import BadInput
from longshore.rollout.render import DIGEST, MANIFEST, REVISION, Manifest, Target, _kustomization, check

TARGET = Target(
    repository="registry:5001/shop/app",
    digest="sha256:" + "a" * 64,
    revision="0123456789ab",
    namespace="shop",
    node_port=30080,
    overlay="local",
)


def test_the_image_is_named_by_digest_and_never_by_tag() -> None:
    image = _kustomization("../k8s/overlays/local", TARGET, "mark")["images"]
    assert image == [{"name": "app", "newName": "registry:5001/shop/app", "digest": TARGET.digest}]


def test_the_pod_learns_its_revision_and_digest_and_the_deployment_is_marked() -> None:
    deployment = json.loads(_kustomization("x", TARGET, "mark")["patches"][0]["patch"])
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert environment == [
        {"name": "REVISION", "value": TARGET.revision},
        {"name": "IMAGE_DIGEST", "value": TARGET.digest},
    ]
    assert deployment["metadata"]["annotations"] == {
        MANIFEST: "mark",
        REVISION: TARGET.revision,
        DIGEST: TARGET.digest,
    }


def test_the_node_port_is_the_one_that_terraform_names() -> None:
    port = json.loads(_kustomization("x", TARGET, "mark")["patches"][1]["patch"])
    assert port == [{"op": "replace", "path": "/spec/ports/0/nodePort", "value": 30080}]


def test_the_deployers_are_those_of_the_namespace() -> None:
    target = dataclasses.replace(TARGET, namespace="other")
    group = json.loads(_kustomization("x", target, "mark")["patches"][2]["patch"])
    assert group[0]["value"] == "other-deployers"


def manifest(image: str, kind: str = "Deployment") -> Manifest:
    thing = {
        "kind": kind,
        "metadata": {"name": "app"},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
    }
    return Manifest(text=json.dumps(thing), mark="")


def test_a_manifest_that_runs_another_image_is_refused() -> None:
    with pytest.raises(BadInput, match="it names somebody/else:latest"):
        check(manifest("somebody/else:latest"), TARGET)


def test_an_empty_manifest_is_refused() -> None:
    with pytest.raises(BadInput, match="holds no Deployment"):
        check(Manifest(text="", mark=""), TARGET)
    with pytest.raises(BadInput, match="holds no Deployment"):
        check(manifest("x", kind="Service"), TARGET)


def test_a_manifest_of_the_image_just_built_passes() -> None:
    check(manifest(f"{TARGET.repository}@{TARGET.digest}"), TARGET)
