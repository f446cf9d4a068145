"""`.longshore/report/report.json`: one run, for programs to rely on. `SCHEMA` counts up when a field changes its meaning or goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

SCHEMA = 1


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step and its fate: ran, skipped, failed, stopped, or an empty text where it never began.

    `began` and `ended` are seconds since the run began.
    `critical` marks the chain that decided how long the run took. `log` is relative to the report's folder.
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
    """Something that a tool found: `severity` is one of high, medium, low."""

    tool: str
    severity: str
    file: str
    line: int
    text: str


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """A suite of tests: how many, and `covered`, the share of lines that they reach (0 to 1), where that was measured."""

    name: str
    tests: int
    failed: int
    skipped: int
    seconds: float
    covered: float | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a Terraform plan would do to one resource."""

    address: str
    action: str
    details: tuple[str, ...] = ()
    why: str = ""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """How the run failed: where, what, what to do next."""

    step: str
    sentence: str
    hint: str
    detail: str


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of an image: compressed bytes, and the instruction that made it, where the image says so."""

    bytes: int
    made_by: str = ""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """The image that was built, the lowest layer first."""

    digest: str
    layers: tuple[Layer, ...]


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of the release that serves: since when (UTC, ISO 8601), and how often a container of it was started again."""

    name: str
    node: str
    since: str
    restarts: int


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What the probe saw during the rollout: requests, and milliseconds."""

    sent: int
    failed: int
    p50: float | None
    p99: float | None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `started` is UTC in ISO 8601; `facts` says what came of it: url, revision, digest and the like."""

    schema: int = SCHEMA
    command: str
    started: str
    seconds: float
    exit_code: int
    cores: int
    facts: dict[str, str] = {}
    failure: Failed | None = None
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    suites: tuple[Suite, ...] = ()
    plan: tuple[Change, ...] = ()
    image: Image | None = None
    pods: tuple[Pod, ...] = ()
    probe: Probe | None = None


def critical(ended: Mapping[str, float], needs: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the chain that decided how long the run took: the step that ENDED last, the one it waited for last, and so on."""
    chain: set[str] = set()
    name = max(ended, key=ended.__getitem__, default="")
    while name:
        chain.add(name)
        name = max((need for need in needs[name] if need in ended), key=ended.__getitem__, default="")
    return chain


def read(folder: Path) -> Document | None:
    """Return the last run that did something, or None where there is none that this version can read."""
    try:
        return msgspec.json.decode((folder / "report.json").read_bytes(), type=Document)
    except (OSError, msgspec.DecodeError):
        return None
