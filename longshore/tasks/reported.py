"""Writes one run into the report's folder: report.json for programs, index.html for people."""

from __future__ import annotations

import datetime
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.errors import Failure
from longshore.graph.scheduler import Report
from longshore.graph.steps import Graph, Step
from longshore.process.redaction import Redactor
from longshore.report import document, page, saved, sources

FACTS = ("url", "revision", "digest", "overrides", "credentials")


def write(
    folder: Path,
    graph: Graph,
    report: Report,
    redactor: Redactor,
    *,
    began: float,
    exit_code: int,
    failure: Failure | None,
    step: str,
    data: Mapping[str, Any],
    summary: Path | None = None,
) -> None:
    """Write the report about the run that BEGAN then (Unix time) into FOLDER, redacted, and into SUMMARY."""
    ended = {name: fate.ended for name, fate in report.steps.items() if fate.outcome in page.BEGUN}
    chain = document.critical(ended, {step.name: step.needs for step in graph.steps.values()})
    # What another run has left in the folder is no result of this one.
    declared = {Path(path).name for each in graph.steps.values() for path in each.reports}
    failed = failure and document.Failed(step=step, sentence=failure.sentence, hint=failure.hint, detail=failure.detail)
    contents = document.Document(
        command=" ".join(sys.argv[1:]),
        started=datetime.datetime.fromtimestamp(began, datetime.UTC).isoformat(timespec="seconds"),
        seconds=round(time.time() - began, 2),
        exit_code=exit_code,
        cores=len(os.sched_getaffinity(0)),
        facts={name: _text(data[name]) for name in FACTS if data.get(name)},
        off=graph.off,
        failure=failed or None,
        steps=tuple(_row(step, report, folder, began, critical=step.name in chain) for step in graph.order()),
        findings=tuple(sources.findings(folder, declared)),
        suites=tuple(sources.suites(folder, declared)),
        plan=tuple(sources.plan(folder)) if "plan" in graph.steps else (),
        image=sources.image(folder, str(data.get("digest", ""))),
        pods=tuple(sources.pods(folder)) if _written_since(folder / "pods.json", began) else (),
        probe=sources.probe(folder) if _written_since(folder / "probe.json", began) else None,
    )
    saved.save(folder, contents, redactor, summary)


def _row(step: Step, report: Report, folder: Path, began: float, *, critical: bool) -> document.Step:
    fate = report.steps.get(step.name)
    return document.Step(
        name=step.name,
        title=step.title,
        needs=step.needs,
        critical=critical,
        outcome=fate.outcome if fate else "",
        reason=str(fate.reason) if fate else "",
        began=round(fate.started - began, 3) if fate else 0.0,
        ended=round(fate.ended - began, 3) if fate else 0.0,
        log=os.path.relpath(fate.log, folder) if fate and fate.log else "",
    )


def _text(value: object) -> str:
    return ", ".join(f"{name}: {key}" for name, key in value.items()) if isinstance(value, dict) else str(value)


def _written_since(path: Path, began: float) -> bool:
    return path.exists() and path.stat().st_mtime >= began
