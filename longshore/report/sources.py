"""What tools wrote into the report's folder, each read in its own form. A file that is missing or broken tells nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree  # nosec B405 - our own tools wrote these files

import msgspec

from longshore.report.document import Change, Finding, Image, Pod, Probe, Suite

BROKEN = (OSError, ValueError, KeyError, TypeError, ElementTree.ParseError)
RUFF = {"blocker": "high", "critical": "high", "major": "medium"}  # GitLab's words; the rest is low


def suites(folder: Path) -> list[Suite]:
    """Read junit-NAME.xml and coverage-NAME.xml."""
    found = []
    for path in sorted(folder.glob("junit-*.xml")):
        name = path.stem.partition("-")[2]
        with contextlib.suppress(*BROKEN):
            parts = _xml(path).findall(".//testsuite")
            total, failures, errors, skipped = (
                sum(int(part.get(key, 0)) for part in parts)
                for key in ("tests", "failures", "errors", "skipped")
            )
            found.append(
                Suite(
                    name=name, tests=total, failed=failures + errors, skipped=skipped, covered=_covered(folder, name),
                    seconds=sum(float(part.get("time", 0)) for part in parts),
                )
            )  # fmt: skip
    return found


def findings(folder: Path) -> list[Finding]:
    """Read bandit's and ruff's reports, the worst first."""
    found = [*_bandit(folder), *_ruff(folder)]
    order = ("high", "medium", "low")
    return sorted(found, key=lambda one: (order.index(one.severity), one.file, one.line))


def plan(folder: Path) -> list[Change]:
    """Read plan.json, which `infra.plan` wrote."""
    with contextlib.suppress(*BROKEN, msgspec.ValidationError):
        return msgspec.json.decode((folder / "plan.json").read_bytes(), type=list[Change])
    return []


def image(folder: Path, digest: str) -> Image | None:
    """Read image.json, which the build of the image DIGEST wrote."""
    with contextlib.suppress(*BROKEN, msgspec.ValidationError):
        found = msgspec.json.decode((folder / "image.json").read_bytes(), type=Image)
        return found if found.digest == digest else None
    return None


def pods(folder: Path) -> list[Pod]:
    """Read pods.json, which a release wrote."""
    with contextlib.suppress(*BROKEN, msgspec.ValidationError):
        return msgspec.json.decode((folder / "pods.json").read_bytes(), type=list[Pod])
    return []


def probe(folder: Path) -> Probe | None:
    """Read probe.json, which a release under `--probe` wrote."""
    with contextlib.suppress(*BROKEN, msgspec.ValidationError):
        return msgspec.json.decode((folder / "probe.json").read_bytes(), type=Probe)
    return None


def _bandit(folder: Path) -> Iterable[Finding]:
    with contextlib.suppress(*BROKEN):
        for one in json.loads((folder / "bandit.json").read_bytes())["results"]:
            yield Finding(
                tool="bandit", severity=one["issue_severity"].lower(), file=one["filename"], line=one["line_number"],
                text=f"{one['test_id']}: {one['issue_text']}",
            )  # fmt: skip


def _ruff(folder: Path) -> Iterable[Finding]:
    with contextlib.suppress(*BROKEN):
        for one in json.loads((folder / "code-quality.json").read_bytes()):
            place = one["location"]
            yield Finding(
                tool="ruff", severity=RUFF.get(one["severity"], "low"), file=place["path"], line=place["positions"]["begin"]["line"],
                text=one["description"],
            )  # fmt: skip


def _covered(folder: Path, name: str) -> float | None:
    with contextlib.suppress(*BROKEN):
        return float(_xml(folder / f"coverage-{name}.xml").attrib["line-rate"])
    return None


def _xml(path: Path) -> Any:
    return ElementTree.fromstring(path.read_bytes())  # noqa: S314  # nosec B314
