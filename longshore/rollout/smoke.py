"""The smoke tests of a release: `tests/smoke` of its sources, which ask its address."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from longshore import AGENT
from longshore.commands import checks
from longshore.errors import DeadlineExceeded, GateFailed
from longshore.gates import above, reports
from longshore.process.beside import Beside
from longshore.process.command import Command
from longshore.rollout.records import Release
from longshore.rollout.site import Site
from longshore.settings.gates import SMOKE_TESTS
from longshore.settings.rollout import SMOKE


def run(site: Site, release: Release, **more: str) -> str:
    """Run them against RELEASE; return what failed, an empty text for nothing.

    MORE are environment variables for them.
    """
    if command := _command(site, release, more):
        return _failed(site, lambda: site.runner.run(command, check=False))
    return ""


@contextlib.contextmanager
def prepared(site: Site, release: Release) -> Iterator[Callable[[], str]]:
    """Have pytest start while pods do, as far as that knows nothing of the release; yield what does as `run` then."""
    with tempfile.TemporaryDirectory(prefix="longshore-") as folder:
        gate = Path(folder, "start")
        command = _command(site, release, {checks.START: str(gate)})
        if command is None:
            yield lambda: ""
            return
        os.mkfifo(gate, 0o600)
        # Closed before it is ended, the pipe ends it by itself.
        with Beside(site.runner, command, site.runner.log) as beside, open(os.open(gate, os.O_RDWR), "wb") as start:

            def go() -> None:
                start.write(b"\n")
                start.flush()
                beside.wait(SMOKE)

            once = iter((go,))
            yield lambda: _failed(site, tests) if (tests := next(once, None)) else run(site, release)


def _command(site: Site, release: Release, more: dict[str, str]) -> Command | None:
    """Return what runs the tests, None where the sources have none. A report of an earlier run is no evidence."""
    sources = site.sources()
    if not (sources / SMOKE_TESTS).is_dir():
        return None
    report = _report(site)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    env = {"LONGSHORE_URL": site.url, "LONGSHORE_REVISION": release.revision, "LONGSHORE_DIGEST": release.digest}
    env |= {"LONGSHORE_USER_AGENT": AGENT} | more
    if site.authority:
        env["LONGSHORE_CA"] = str(site.authority)
    configured = above.left_out(sources, [SMOKE_TESTS])
    return checks.smoke(
        sys.executable, report, SMOKE_TESTS, root=sources, env=env, deadline=SMOKE, configured=configured
    )


def _report(site: Site) -> Path:
    return site.report / "smoke.xml"


def _failed(site: Site, tests: Callable[[], object]) -> str:
    """Return what TESTS, which leave a report, find."""
    report = _report(site)
    try:
        tests()
        reports.tests(report.read_text(encoding="utf-8") if report.exists() else "")
    except (GateFailed, DeadlineExceeded) as problem:
        first = " ".join(problem.detail.split()[:40]) if isinstance(problem, GateFailed) else ""
        return f"the smoke tests fail: {problem.sentence}" + (f": {first}" if first else "")
    return ""
