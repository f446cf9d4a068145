"""Every environment of this machine, whatever became of the checkout that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from localcloud import edge, lifecycle, network
from localcloud.addresses import RECORD
from localcloud.daemon import RUNNING
from localcloud.layout import ABOUT, Layout
from longshore.errors import BadInput
from longshore.files import from_json
from longshore.settings.model import Settings

NOWHERE = IPv4Network("127.0.0.0/30")  # stands for networks that were never chosen, or whose record is damaged
PARTS = ("node", "node-2", "registry", "ecr", "aws", "buildkit", "edge")


def layouts(settings: Settings, running: Path = RUNNING) -> list[Layout]:
    """Return the environments in this user's state folder, and those that are RUNNING from anybody's, by id."""
    home = settings.host.state / "longshore"
    found = {file.parent.name: file.parent for name in (RECORD, ABOUT) for file in home.glob(f"*/{name}")}
    for folder in running.glob("*"):
        if folder.is_dir():
            state = _read(folder / ABOUT).get("state")
            found.setdefault(folder.name, Path(str(state)) if state else home / folder.name)
    return [_layout(settings, name, state, running) for name, state in sorted(found.items())]


def find(settings: Settings, wanted: str) -> Layout:
    """Return the environment with the id WANTED. Raises BadInput if this machine has none."""
    known = {layout.id: layout for layout in layouts(settings)}
    if wanted not in known:
        hint = "`invoke local.list` shows the ids"
        raise BadInput(f"this machine has no environment with the id {wanted!r}", hint=hint)
    return known[wanted]


def describe(layout: Layout) -> dict[str, Any]:
    """Return what a person has to know to keep the environment or to end it; sizes are in bytes."""
    alive = [part for part in PARTS if layout.daemon(part).alive()]
    return {
        "id": layout.id,
        "project": layout.project,
        "environment": layout.environment,
        "checkout": layout.checkout,
        "orphaned": orphaned(layout),
        "up": bool(alive) or any(map(network.has_link, layout.possible)),
        "parts": alive,
        "ports": sorted({layout.aws_port, *edge.ports(layout)} - {0}),
        "disk_bytes": lifecycle.used(layout.state),
        "state": str(layout.state),
    }


def orphaned(layout: Layout) -> bool | None:
    """Whether the project's folder is gone; None where an older version did not write down which it is."""
    return not Path(layout.checkout, "longshore.toml").exists() if layout.checkout else None


def _layout(settings: Settings, name: str, state: Path, running: Path) -> Layout:
    about, place = _read(state / ABOUT) or _read(running / name / ABOUT), _read(state / RECORD)
    link, pods, services = _networks(place)
    port = about.get("aws_port", 0)
    return Layout(
        id=name,
        project=str(about.get("project", name.rpartition("-")[0])),
        environment=str(about.get("environment", "?")),
        region=str(about.get("region", "")),
        state=state,
        run=running / name,
        cache=settings.cache,
        kube=Path("/nonexistent"),
        aws_port=port if isinstance(port, int) else 0,
        link=link,
        pods=pods,
        services=services,
        checkout=str(about.get("checkout", "")),
    )


def _networks(place: dict[str, Any]) -> Iterator[IPv4Network]:
    for key in ("link", "pods", "services"):
        try:
            yield IPv4Network(place[key])
        except (KeyError, ValueError):
            yield NOWHERE


def _read(file: Path) -> dict[str, Any]:
    try:
        return from_json(file.read_bytes(), dict[str, Any])
    except (OSError, ValueError):
        return {}


def text(row: dict[str, Any]) -> str:
    """Return DESCRIBE's answer as a line for a person."""
    checkout = {None: "checkout unknown", True: f"{row['checkout']} (gone)", False: row["checkout"]}[row["orphaned"]]
    ports = ", ".join(map(str, row["ports"])) or "none"
    state = "up  " if row["up"] else "down"
    return f"  {state}  {row['id']:<28} {row['disk_bytes'] / 1e6:>7.0f} MB  ports {ports:<18} {checkout}"
