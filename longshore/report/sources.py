"""The tools' reports in the report's folder, each in its own format. A missing or broken file counts as empty."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree  # nosec B405 - our own tools wrote these files

import msgspec

from longshore.files import from_json
from longshore.report.document import Change, Finding, Image, Pod, Probe, Suite

T = TypeVar("T")
BROKEN = (OSError, ValueError, KeyError, TypeError, ElementTree.ParseError)  # msgspec's errors are ValueErrors
RUFF = {"blocker": "high", "critical": "high", "major": "medium"}  # GitLab's severities; all others are low
SEVERITIES = ("high", "medium", "low")
BANDIT = {"HIGH": "high", "MEDIUM": "medium", "LOW": "low", "UNDEFINED": "low"}


def suites(folder: Path, files: Collection[str]) -> list[Suite]:
    """Return the test suites in those of FILES that are called junit-NAME.xml, and coverage-NAME.xml."""
    complete = []
    for path in sorted(path for path in folder.glob("junit-*.xml") if path.name in files):
        name = path.stem.partition("-")[2]
        with contextlib.suppress(*BROKEN):
            parts = _xml(path).findall(".//testsuite")
            total, failures, errors, skipped = (
                sum(int(part.get(key, 0)) for part in parts) for key in ("tests", "failures", "errors", "skipped")
            )
            seconds, covered = sum(float(part.get("time", 0)) for part in parts), _covered(folder, name)
            counts = {"tests": total, "failed": failures + errors, "skipped": skipped}
            complete.append(Suite(name=name, **counts, covered=covered, seconds=seconds))
    return complete


def findings(folder: Path, files: Collection[str]) -> list[Finding]:
    """Return the findings of bandit and ruff, worst first, where FILES has their reports."""
    bandit = _bandit(folder) if "bandit.json" in files else ()
    everything = [*bandit, *(_ruff(folder) if "code-quality.json" in files else ())]
    return sorted(everything, key=lambda each: (SEVERITIES.index(each.severity), each.file, each.line))


def plan(folder: Path) -> list[Change]:
    """Return the changes in plan.json, which `infra.plan` writes."""
    return _json(folder / "plan.json", list[Change]) or []


def image(folder: Path, digest: str) -> Image | None:
    """Return the image in image.json, which its build writes, if it is the one with this DIGEST."""
    built = _json(folder / "image.json", Image)
    return built if built and built.digest == digest else None


def pods(folder: Path) -> list[Pod]:
    """Return the pods in pods.json, which a release writes."""
    return _json(folder / "pods.json", list[Pod]) or []


def probe(folder: Path) -> Probe | None:
    """Return the result in probe.json, which a release with `--probe` writes."""
    return _json(folder / "probe.json", Probe)


def _json(path: Path, kind: type[T]) -> T | None:
    with contextlib.suppress(*BROKEN):
        return from_json(path.read_bytes(), kind)
    return None


def _bandit(folder: Path) -> Iterable[Finding]:
    with contextlib.suppress(*BROKEN):
        for issue in from_json((folder / "bandit.json").read_bytes())["results"]:
            yield _finding(
                tool="bandit",
                severity=BANDIT[issue["issue_severity"]],
                file=issue["filename"],
                line=issue["line_number"],
                text=f"{issue['test_id']}: {issue['issue_text']}",
            )


def _ruff(folder: Path) -> Iterable[Finding]:
    with contextlib.suppress(*BROKEN):
        for issue in from_json((folder / "code-quality.json").read_bytes()):
            location = issue["location"]
            yield _finding(
                tool="ruff",
                severity=RUFF.get(issue["severity"], "low"),
                file=location["path"],
                line=location["positions"]["begin"]["line"],
                text=issue["description"],
            )


def _finding(**fields: Any) -> Finding:
    return msgspec.convert(fields, Finding)


def _covered(folder: Path, name: str) -> float | None:
    with contextlib.suppress(*BROKEN):
        return float(_xml(folder / f"coverage-{name}.xml").attrib["line-rate"])
    return None


def _xml(path: Path) -> Any:
    return ElementTree.fromstring(path.read_bytes())  # noqa: S314  # nosec B314
