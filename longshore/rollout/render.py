"""The manifest of a release: the environment's overlay with this image, this revision and what Terraform says."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from longshore.commands import kubectl
from longshore.errors import BadInput, CommandFailed
from longshore.rollout import rights
from longshore.runner import Runner
from longshore.steps import fingerprint
from longshore.steps.memory import write_atomically

MANIFEST = "longshore.dev/manifest"  # hash of all that the manifest was made from
REVISION = "longshore.dev/revision"
DIGEST = "longshore.dev/digest"
SECRETS = "/run/secrets/app"  # where the container finds a file for each of the settings' secrets

# What kustomize is given for what each build changes: digits alone, so that it quotes them as a revision may need it, and such as
# nobody writes into a manifest.
_DIGITS = str(int(hashlib.sha512(b"what a build changes").hexdigest(), 16))
STAND_INS = {"digest": f"sha256:{_DIGITS[:64]}", "revision": _DIGITS[64:104], "mark": _DIGITS[104:136]}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is released: the image REPOSITORY@DIGEST of REVISION, at NODE_PORT, in NAMESPACE, with files from the Secret SECRET if any."""

    repository: str
    digest: str
    revision: str
    namespace: str
    node_port: int
    overlay: str
    secret: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Rendered YAML: what a release applies, what an administrator sets, and the hash of what both were rendered from."""

    text: str
    mark: str
    rights: str = ""

    def objects(self) -> list[dict[str, Any]]:
        """Return the objects of the manifest in their order."""
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        return [thing for thing in yaml.load_all(self.text, Loader=loader) if thing]


def render(root: Path, work: Path, program: str, target: Target, runner: Runner) -> Manifest:
    """Render TARGET's overlay; kustomize runs once for all images of it. Raises BadInput where the overlay is wrong."""
    form = replace(target, digest=STAND_INS["digest"], revision=STAND_INS["revision"])
    key = fingerprint.of(root, ("k8s",), form.__dict__)[:32]
    mark = digest_of(f"{key} {target.digest} {target.revision}")[:32]
    cached = work / "manifests" / f"{key}.yaml"
    if not cached.exists():
        write_atomically(cached, _kustomized(root, work / "kustomize", program, form, runner))
    text = cached.read_text()
    for name, value in {"digest": target.digest, "revision": target.revision, "mark": mark}.items():
        text = text.replace(STAND_INS[name], value)
    return _manifest(text, mark)


def _kustomized(root: Path, folder: Path, program: str, form: Target, runner: Runner) -> str:
    overlay = root / "k8s" / "overlays" / form.overlay
    if not (overlay / "kustomization.yaml").exists():
        raise BadInput(
            f"there is no overlay k8s/overlays/{form.overlay}",
            hint="`overlay` in longshore.toml names the folder",
        )
    kustomization = _kustomization(os.path.relpath(overlay, folder), form, STAND_INS["mark"])
    write_atomically(folder / "kustomization.yaml", json.dumps(kustomization, indent=1))
    try:
        text = runner.run(kubectl.kustomize(program, folder)).stdout
    except CommandFailed as problem:
        raise BadInput(
            f"k8s/overlays/{form.overlay} cannot be rendered",
            detail=problem.detail,
            hint="the lines above name the file",
        ) from None
    check(_manifest(text, ""), form)
    return text


def check(manifest: Manifest, target: Target) -> None:
    """Raise BadInput for a manifest without a Deployment, or with one whose image is not the digest just built."""
    deployments = [thing for thing in manifest.objects() if thing["kind"] == "Deployment"]
    if not deployments:
        raise BadInput(
            f"the manifest of {target.overlay} holds no Deployment",
            hint="look at k8s/base/kustomization.yaml",
        )
    images = [c["image"] for d in deployments for c in d["spec"]["template"]["spec"]["containers"]]
    if f"{target.repository}@{target.digest}" not in images:
        raise BadInput(
            f"no container of the manifest runs the image just built; it names {', '.join(images)}",
            hint="the Deployment's image must be `app`: Longshore puts repository and digest in its place",
        )


def _manifest(text: str, mark: str) -> Manifest:
    for_administrators, for_releases = rights.split(text)
    return Manifest(text=for_releases, mark=mark, rights=for_administrators)


def digest_of(text: str) -> str:
    """Return the SHA-256 of a manifest's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def _kustomization(overlay: str, target: Target, mark: str) -> dict[str, Any]:
    """Return the kustomization that sets what is known at release time on top of the OVERLAY folder."""
    environment = [
        {"name": "REVISION", "value": target.revision},
        {"name": "IMAGE_DIGEST", "value": target.digest},
    ]
    container: dict[str, Any] = {"name": "app", "env": environment}
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "app",
            "annotations": {MANIFEST: mark, REVISION: target.revision, DIGEST: target.digest},
        },
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    if target.secret:
        environment += [{"name": f"{name}_FILE", "value": f"{SECRETS}/{name}"} for name in target.files]
        container["volumeMounts"] = [{"name": "secrets", "mountPath": SECRETS, "readOnly": True}]
        secret = {"secretName": target.secret, "defaultMode": 0o440}
        deployment["spec"]["template"]["spec"]["volumes"] = [{"name": "secrets", "secret": secret}]
    group = [{"op": "replace", "path": "/subjects/0/name", "value": f"{target.namespace}-deployers"}]
    port = [{"op": "replace", "path": "/spec/ports/0/nodePort", "value": target.node_port}]
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [overlay],
        "namespace": target.namespace,
        "images": [{"name": "app", "newName": target.repository, "digest": target.digest}],
        "patches": [
            {"target": {"kind": "Deployment", "name": "app"}, "patch": json.dumps(deployment)},
            {"target": {"kind": "Service", "name": "app"}, "patch": json.dumps(port)},
            {"target": {"kind": "RoleBinding", "name": "deployers"}, "patch": json.dumps(group)},
        ],
    }
