"""The schema of `.longshore/report/report.json`. `SCHEMA` is raised when a field changes its meaning or is removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from longshore.files import from_json

SCHEMA = 1
SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±", "forget": "!", "import": "="}  # by its action


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step. `outcome` is ran, skipped, failed, stopped, or empty if the step never started.

    `began` and `ended` are seconds since the start of the run. `critical` marks the critical path.
    `log` is relative to the report's folder.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()
    outcome: str = ""
    reason: str = ""
    began: float = 0.0
    ended: float = 0.0
    critical: bool = False
    log: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of a tool. `severity` is high, medium or low."""

    tool: str
    severity: str
    file: str
    line: int
    text: str


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """A test suite. `covered` is its line coverage from 0 to 1, if measured."""

    name: str
    tests: int
    failed: int
    skipped: int
    seconds: float
    covered: float | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a Terraform plan would change in one resource."""

    address: str
    action: str
    details: tuple[str, ...] = ()
    why: str = ""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why the run failed: the step, the cause, what to do next, and details."""

    step: str
    sentence: str
    hint: str
    detail: str


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of an image: its compressed size in bytes, and the instruction that created it, if known."""

    bytes: int
    made_by: str = ""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """The image that was built, with its layers from the bottom up."""

    digest: str
    layers: tuple[Layer, ...]


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of the serving release: since when it has run (UTC, ISO 8601), and how often its containers restarted."""

    name: str
    node: str
    since: str
    restarts: int


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """The probe's requests during the rollout, and their latency in milliseconds."""

    sent: int
    failed: int
    p50: float | None
    p99: float | None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `started` is UTC in ISO 8601; `facts` are its results: url, revision, digest; overrides of settings.

    `off` are groups of gates that the settings leave out, and why.
    """

    schema: int = SCHEMA
    command: str
    started: str
    seconds: float
    exit_code: int
    cores: int
    facts: dict[str, str] = {}
    off: dict[str, str] = {}
    failure: Failed | None = None
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    suites: tuple[Suite, ...] = ()
    plan: tuple[Change, ...] = ()
    image: Image | None = None
    pods: tuple[Pod, ...] = ()
    probe: Probe | None = None


def critical(ended: Mapping[str, float], needs: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the critical path: the step that ENDED last, the dependency it waited for last, and so on."""
    chain: set[str] = set()
    name = max(ended, key=ended.__getitem__, default="")
    while name:
        chain.add(name)
        name = max((need for need in needs[name] if need in ended), key=ended.__getitem__, default="")
    return chain


def read(folder: Path) -> Document | None:
    """Return the report of the last run, or None if there is none that this version can read."""
    try:
        return from_json((folder / "report.json").read_bytes(), Document)
    except (OSError, ValueError):
        return None
