"""What is set at release time on top of an overlay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace

from longshore.errors import BadInput, CommandFailed
from longshore.process.command import Command
from longshore.process.runner import Result, Runner
from longshore.rollout.asked import ANNOTATION, Asked
from longshore.rollout.manifest import HOOK, Manifest
from longshore.rollout.render import STAND_INS, _kustomization, check, render
from longshore.rollout.shape import DIGEST, MANIFEST, REVISION, Target
from tests.unit.rollout.kubectl import result
from tests.unit.rollout.things import Thing, hook, item

TARGET = Target(
    repository="registry:5001/shop/app",
    digest="sha256:" + "a" * 64,
    revision="0123456789ab",
    namespace="shop",
    node_port=30080,
    overlay="local",
)


def test_the_image_is_named_by_digest_and_never_by_tag() -> None:
    image = _kustomization("../k8s/overlays/local", TARGET)["images"]
    assert image == [{"name": "app", "newName": "registry:5001/shop/app", "digest": TARGET.digest}]


def test_the_deployers_are_those_of_the_namespace() -> None:
    target = replace(TARGET, namespace="other")
    group = json.loads(_kustomization("x", target)["patches"][0]["patch"])
    assert group[0]["value"] == "other-deployers"


def manifest(image: str, *more: Thing) -> Manifest:
    deployment = item(
        "Deployment", "app", "apps/v1", spec={"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}
    )
    return Manifest.parse("\n---\n".join(map(json.dumps, [deployment, *more])))


IMAGE = f"{TARGET.repository}@{TARGET.digest}"


def test_a_manifest_that_runs_another_image_is_refused() -> None:
    with pytest.raises(BadInput, match="they run somebody/else:latest"):
        check(manifest("somebody/else:latest"), TARGET)


@pytest.mark.parametrize("empty", [Manifest(), Manifest(rolled_out=(item("Service", "app"),))])
def test_a_manifest_without_a_deployment_is_refused(empty: Manifest) -> None:
    with pytest.raises(BadInput, match="holds no Deployment"):
        check(empty, TARGET)


def test_a_manifest_of_the_image_just_built_passes_with_its_hooks() -> None:
    passes = manifest(IMAGE, hook(), hook("warm", "after"))
    check(passes, TARGET)
    assert [job["metadata"]["name"] for job in (*passes.before, *passes.after)] == ["migrate", "warm"]


def test_a_hook_that_would_not_run_as_one_is_refused() -> None:
    pod = item("Pod", "p")
    pod["metadata"]["annotations"] = {"longshore.dev/hook": "before"}
    role = item("Role", "r", "rbac.authorization.k8s.io/v1")
    role["metadata"]["annotations"] = {"longshore.dev/hook": "before"}
    for wrong in (hook(when="befor"), pod, role):
        with pytest.raises(BadInput, match="and is no hook"):
            check(manifest(IMAGE, wrong), TARGET)


def test_a_hook_that_is_suspended_would_never_run_and_is_refused() -> None:
    job = hook()
    job["spec"]["suspend"] = True
    with pytest.raises(BadInput, match="the hook migrate is suspended"):
        check(manifest(IMAGE, job), TARGET)


# What kustomize makes of a manifest, as it lays it out; {digest} and so on are where it puts what it was given.
KUSTOMIZED = """apiVersion: v1
kind: Namespace
metadata: {{name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    example.com/number: "8888888888888888888888888888888888888888"
    example.com/mark: "{mark}"
  name: app
spec:
  template:
    metadata: {{labels: {{app: app}}}}
    spec:
      containers:
      - args: [--commit={revision}]
        image: registry:5001/shop/app@{digest}
        name: app
---
apiVersion: v1
kind: Service
metadata: {{name: app}}
spec: {{type: NodePort, selector: {{app: app}}, ports: [{{port: 80, targetPort: http}}]}}
"""


class Kustomize:
    """Answers what kubectl would, and counts."""

    def __init__(self) -> None:
        self.ran = 0

    def run(self, command: Command) -> Result:
        self.ran += 1
        return result(KUSTOMIZED.format(**STAND_INS))


def rendered(folder: Path, kustomize: Kustomize, target: Target = TARGET, fingerprint: str = "of k8s") -> Manifest:
    def sources() -> Path:
        (folder / "k8s" / "overlays" / "local").mkdir(parents=True, exist_ok=True)
        (folder / "k8s" / "overlays" / "local" / "kustomization.yaml").touch()
        return folder

    return render(sources, fingerprint, folder / "work", "kubectl", target, cast("Runner", kustomize))


REVISIONS = ["0123456789ab", "123456789012", "12345678e901", "0x1-dirty-1", '"\\']  # pragma: allowlist secret


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_a_build_changes_is_put_in_as_a_string_whatever_it_is(tmp_path: Path, revision: str) -> None:
    target = replace(TARGET, revision=revision, digest="sha256:" + "b" * 64)
    manifest = rendered(tmp_path, Kustomize(), target)
    deployment, service = manifest.rolled_out
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["env"][1:3] == [
        {"name": "REVISION", "value": revision},
        {"name": "IMAGE_DIGEST", "value": target.digest},
    ]
    assert service["spec"]["ports"][0]["nodePort"] == target.node_port
    assert container["args"] == [f"--commit={revision}"]
    assert container["image"] == f"registry:5001/shop/app@{target.digest}"
    assert deployment["metadata"]["annotations"] == {
        "example.com/number": "8" * 40,
        "example.com/mark": manifest.mark,
        MANIFEST: manifest.mark,
        REVISION: revision,
        DIGEST: target.digest,
        ANNOTATION: Asked().note,
    }
    assert [right["kind"] for right in manifest.rights] == ["Namespace"]


def test_kustomize_runs_once_for_all_builds_of_the_same_sources(tmp_path: Path) -> None:
    kustomize = Kustomize()
    first = rendered(tmp_path, kustomize)
    second = rendered(tmp_path, kustomize, replace(TARGET, revision="another"))
    assert (kustomize.ran, first.mark == second.mark) == (1, False)
    assert rendered(tmp_path, kustomize) == first
    rendered(tmp_path, kustomize, fingerprint="of another k8s")
    rendered(tmp_path, kustomize, replace(TARGET, node_port=30081))
    assert kustomize.ran == 3


def test_sources_are_not_asked_for_what_was_rendered_already(tmp_path: Path) -> None:
    first = rendered(tmp_path, Kustomize())

    def gone() -> Path:
        raise AssertionError("nobody needs the sources")

    assert render(gone, "of k8s", tmp_path / "work", "kubectl", TARGET, cast("Runner", Kustomize())) == first


def test_what_an_older_version_rendered_is_checked_again(tmp_path: Path) -> None:
    rendered(tmp_path, Kustomize())
    (cached,) = (tmp_path / "work" / "manifests").iterdir()
    listed = json.loads(cached.read_text())
    listed["items"].append(item("ConfigMap", "c") | {"metadata": {"name": "c", "annotations": {HOOK: "before"}}})
    cached.write_text(json.dumps(listed))
    with pytest.raises(BadInput, match="and is no hook"):
        rendered(tmp_path, Kustomize())


def test_nobody_else_may_read_a_rendering(tmp_path: Path) -> None:
    rendered(tmp_path, Kustomize())
    (cached,) = (tmp_path / "work" / "manifests").iterdir()
    assert cached.stat().st_mode & 0o777 == 0o600
    cached.chmod(0o644)  # as earlier versions wrote it
    rendered(tmp_path, Kustomize())
    assert cached.stat().st_mode & 0o777 == 0o600


def test_an_overlay_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no overlay k8s/overlays/local"):
        render(lambda: tmp_path, "", tmp_path / "work", "kubectl", TARGET, cast("Runner", Kustomize()))


def test_what_kustomize_cannot_render_is_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: Command) -> Result:
        raise CommandFailed("kubectl", 1, tail="accumulating resources from '../base'")

    kustomize = Kustomize()
    monkeypatch.setattr(kustomize, "run", fails)
    with pytest.raises(BadInput, match="cannot be rendered") as refused:
        rendered(tmp_path, kustomize)
    assert "accumulating" in refused.value.detail
    assert not list((tmp_path / "work").glob("manifests/*"))
