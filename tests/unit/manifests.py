"""The Kubernetes sources, read as they are written: an overlay's value, else the base's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ("local", "staging", "production")
Object = dict[str, Any]


def objects(file: Path) -> list[Object]:
    return [thing for thing in yaml.safe_load_all(file.read_text(encoding="utf-8")) if thing]


def patches(overlay: str) -> list[Object]:
    folder = ROOT / "k8s" / "overlays" / overlay
    listed = objects(folder / "kustomization.yaml")[0].get("patches", [])
    return [objects(folder / p["path"])[0] if "path" in p else yaml.safe_load(p["patch"]) for p in listed]


def merged(base: Any, patch: Any) -> Any:
    """Merge as kustomize does what these overlays use: mappings by key, lists of named things by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        both = base | {key: merged(base.get(key), value) for key, value in patch.items()}
        return {key: value for key, value in both.items() if value is not None}
    named = (
        isinstance(base, list) and isinstance(patch, list) and all("name" in x for x in patch if isinstance(x, dict))
    )
    if named and patch and isinstance(patch[0], dict):
        both = {x["name"]: x for x in base}
        return list({**both, **{x["name"]: merged(both.get(x["name"]), x) for x in patch}}.values())
    return patch


BASE = {
    (x["kind"], x["metadata"]["name"]): x
    for file in sorted((ROOT / "k8s/base").glob("*.yaml"))
    for x in objects(file)
    if "metadata" in x
}


def deployment(overlay: str) -> Object:
    result = BASE["Deployment", "app"]
    for patch in patches(overlay):
        if patch["kind"] == "Deployment":
            result = merged(result, patch)
    return result


def container(overlay: str) -> Object:
    (only,) = deployment(overlay)["spec"]["template"]["spec"]["containers"]
    return dict(only)


def environment(overlay: str) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container(overlay)["env"]}


def granted(overlay: str) -> int:
    """Seconds after its start at which a container that never answers is killed: of the probe that asks first."""
    made = container(overlay)
    probe = made.get("startupProbe") or made["livenessProbe"]
    return int(probe.get("initialDelaySeconds", 0) + (probe["failureThreshold"] - 1) * probe["periodSeconds"])


def gunicorn(name: str) -> int:
    found = re.search(
        rf"^{name} = (\d+)", (ROOT / "application/gunicorn.conf.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found
    return int(found[1])


def pre_stop(overlay: str) -> int:
    shell, option, line = container(overlay)["lifecycle"]["preStop"]["exec"]["command"]
    found = re.fullmatch(r"touch (\S+)/draining && sleep (\d+)", line)
    assert (shell, option) == ("/bin/sh", "-c")
    assert found
    assert found[1] == environment(overlay)["APP_RUN_DIR"]
    return int(found[2])
