"""Puts one run into the report's folder: for a program as report.json, for a person as index.html."""

from __future__ import annotations

import datetime
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from longshore.errors import Failure
from longshore.report import document, page, sources
from longshore.steps.graph import Graph
from longshore.steps.memory import write_atomically
from longshore.steps.scheduler import Report

FACTS = ("url", "revision", "digest")


def write(
    folder: Path, graph: Graph, done: Report, *, began: float, exit_code: int, failure: Failure | None, step: str, data: Mapping[str, Any]
) -> None:  # fmt: skip
    """Write report.json and index.html about one run that BEGAN then (Unix time) into FOLDER."""
    begun = {name: fate.ended for name, fate in done.steps.items() if fate.outcome in page.BEGUN}
    chain = document.critical(begun, {name: one.needs for name, one in graph.steps.items()})
    steps = []
    for one in graph.order():
        fate = done.steps.get(one.name)
        steps.append(
            document.Step(
                name=one.name, title=one.title, needs=one.needs, critical=one.name in chain, outcome=fate.outcome if fate else "",
                reason=str(fate.reason) if fate else "", began=round(fate.started - began, 3) if fate else 0.0,
                ended=round(fate.ended - began, 3) if fate else 0.0,
                log=os.path.relpath(fate.log, folder) if fate and fate.log else "",
            )
        )  # fmt: skip
    groups = {one.group for one in graph.steps.values()} | set(graph.steps)
    failed = failure and document.Failed(
        step=step, sentence=failure.sentence, hint=failure.hint, detail=failure.detail
    )
    made = document.Document(
        command=" ".join(sys.argv[1:]), started=datetime.datetime.fromtimestamp(began, datetime.UTC).isoformat(timespec="seconds"),
        seconds=round(time.time() - began, 2), exit_code=exit_code, cores=len(os.sched_getaffinity(0)),
        facts={name: str(data[name]) for name in FACTS if data.get(name)}, failure=failed or None, steps=tuple(steps),
        findings=tuple(sources.findings(folder)) if groups & {"lint", "scan"} else (),
        suites=tuple(sources.suites(folder)) if "test" in groups else (),
        plan=tuple(sources.plan(folder)) if "plan" in groups else (),
        image=sources.image(folder, str(data.get("digest", ""))),
        pods=tuple(sources.pods(folder)) if _written_since(folder / "pods.json", began) else (),
        probe=sources.probe(folder) if _written_since(folder / "probe.json", began) else None,
    )  # fmt: skip
    write_atomically(
        folder / "report.json", msgspec.json.format(msgspec.json.encode(made).decode(), indent=1)
    )
    write_atomically(folder / "index.html", page.render(made))


def _written_since(path: Path, began: float) -> bool:
    return path.exists() and path.stat().st_mtime >= began
