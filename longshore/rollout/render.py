"""The manifest of a release: the environment's overlay with this image, this revision and what Terraform says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from longshore.commands import kubectl
from longshore.errors import BadInput, CommandFailed
from longshore.files import from_json, write_atomically
from longshore.process.runner import Runner
from longshore.rollout.form import check as check_form
from longshore.rollout.hooks import made
from longshore.rollout.manifest import HOOK, SHOWS, Manifest, annotation
from longshore.rollout.needs import needed
from longshore.rollout.shape import Target, shape
from longshore.rollout.workloads import BECOMES

FORM = 4  # of a rendering that is kept: it grows when `shape` does something else
# Placeholders for what differs between two builds, so that kustomize runs once for all of them. They are numbers that
# nobody writes into a manifest: kustomize quotes them, as it may have to quote a revision.
_DIGITS = str(int(hashlib.sha512(b"what a build changes").hexdigest(), 16))
STAND_INS = {"digest": f"sha256:{_DIGITS[:64]}", "revision": _DIGITS[64:104], "mark": _DIGITS[104:136]}


def render(
    sources: Callable[[], Path], fingerprint: str, work: Path, program: str, target: Target, runner: Runner
) -> Manifest:
    """Return the manifest of TARGET. Raises BadInput where its overlay is wrong.

    FINGERPRINT is the hash of `k8s` in the folder that SOURCES returns; it is called only when the folder WORK does not
    hold an earlier rendering of the same. PROGRAM is the kubectl that renders.
    """
    form = replace(target, digest=STAND_INS["digest"], revision=STAND_INS["revision"])
    key = _hash(json.dumps([FORM, fingerprint, msgspec.to_builtins(form)]))
    mark = _hash(f"{key} {target.digest} {target.revision}")
    cached = work / "manifests" / f"{key}.json"
    if not (text := _known(cached)):
        rendered = _kustomized(sources(), work / "kustomize", program, form, runner)
        released = list(rendered.released)
        for item in released:
            check_form(item)
        with _understood(target):
            shape(released, form, STAND_INS["mark"])
        text = kubectl.listed((*rendered.rights, *released))
        write_atomically(cached, text, 0o600)
    cached.chmod(0o600)  # earlier versions let everybody read it, and it may hold Secrets
    for name, value in {"digest": target.digest, "revision": target.revision, "mark": mark}.items():
        text = text.replace(STAND_INS[name], json.dumps(value)[1:-1])  # in JSON they are always part of a string
    manifest = Manifest.parse(text, mark)
    with _understood(target):
        check(manifest, target)
    return manifest


@contextlib.contextmanager
def _understood(target: Target) -> Iterator[None]:
    """Raise BadInput where the manifest of TARGET has something in a place that Kubernetes would not let it have."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as problem:
        sentence = f"the manifest of {target.overlay} is not of the form that Kubernetes takes: {problem!r}"
        raise BadInput(sentence, hint=SHOWS) from None


def _known(cached: Path) -> str:
    """Return what an earlier run rendered, an empty text where that is missing or damaged."""
    try:
        text = cached.read_text(encoding="utf-8")
        from_json(text, dict[str, Any])
    except (OSError, ValueError):
        return ""
    return text


def _kustomized(sources: Path, folder: Path, program: str, form: Target, runner: Runner) -> Manifest:
    overlay = sources / "k8s" / "overlays" / form.overlay
    if not (overlay / "kustomization.yaml").exists():
        hint = "`overlay` in longshore.toml names the folder"
        raise BadInput(f"there is no overlay k8s/overlays/{form.overlay}", hint=hint)
    kustomization = _kustomization(os.path.relpath(overlay, folder), form)
    write_atomically(folder / "kustomization.yaml", json.dumps(kustomization, indent=1))
    try:
        return Manifest.parse(runner.run(kubectl.kustomize(program, folder)).stdout)
    except CommandFailed as problem:
        sentence = f"k8s/overlays/{form.overlay} cannot be rendered"
        raise BadInput(sentence, detail=problem.detail, hint="the lines above name the file") from None


def check(manifest: Manifest, target: Target) -> None:
    """Raise BadInput for a manifest that does not run the image just built, or whose hooks would not run."""
    for item in (*manifest.rights, *manifest.rolled_out):
        if (when := annotation(item, HOOK)) is not None:
            raise BadInput(
                f"{item['kind']} {item['metadata']['name']} has the annotation {HOOK}: {when}, and is no hook",
                hint="a hook is a Job that runs `before` or `after` the rollout",
            )
    for item in (*manifest.before, *manifest.after):
        name, most = item["metadata"]["name"], BECOMES["job"][1]
        if item["spec"].get("suspend") or item["spec"].get("parallelism") == 0:
            hint = "a hook runs in every release; without `suspend: true` or `parallelism: 0` it does"
            raise BadInput(f"the hook {name} is suspended and would never run", hint=hint)
        if len(name) > most:
            hint = f"{most} are allowed: each release adds its number"
            raise BadInput(f"the name of the hook {name} has {len(name)} characters", hint=hint)
        made(item, 1)
    needed(manifest.before, manifest.rolled_out)  # whatever is odd there shows before anything is recorded
    for item in manifest.rolled_out:
        if item["kind"] in ("ReplicaSet", "ReplicationController"):
            hint = "write a Deployment, which makes them"
            raise BadInput(f"nobody can judge the rollout of {item['kind']} {item['metadata']['name']}", hint=hint)
    deployments = [item for item in manifest.rolled_out if item["kind"] == "Deployment"]
    if not deployments:
        hint = "look at k8s/base/kustomization.yaml"
        raise BadInput(f"the manifest of {target.overlay} holds no Deployment", hint=hint)
    images = [c["image"] for item in deployments for c in item["spec"]["template"]["spec"]["containers"]]
    if f"{target.repository}@{target.digest}" not in images:
        sentence = f"no container of the manifest runs the image just built; they run {', '.join(images)}"
        hint = "the Deployment's image must be `app`: Longshore replaces it with repository and digest"
        raise BadInput(sentence, hint=hint)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _kustomization(overlay: str, target: Target) -> dict[str, Any]:
    """Return the kustomization that puts image and namespace on top of the OVERLAY folder."""
    group = [{"op": "replace", "path": "/subjects/0/name", "value": f"{target.namespace}-deployers"}]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [overlay],
        "namespace": target.namespace,
        "images": [{"name": "app", "newName": target.repository, "digest": target.digest}],
        "patches": [{"target": {"kind": "RoleBinding", "name": "deployers"}, "patch": json.dumps(group)}],
    }
