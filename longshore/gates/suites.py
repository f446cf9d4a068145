"""The suites of unit tests, and where in the run's sources their tests are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from longshore.settings.gates import SMOKE_TESTS, Gates, Suite, UsualTests
from longshore.snapshot.snapshot import Snapshot

TESTS = re.compile(rf"(?!{SMOKE_TESTS}/).*/(?:test_[^/]*|[^/]*_test)\.py")  # what pytest looks for, and no release's


def located(gates: Gates, sources: Snapshot) -> dict[str, Suite]:
    """Return the suites of GATES by name, each with the paths of its tests in SOURCES.

    Where nobody has said which they are, it is the first usual folder that has some, or the first one. Those of a
    release, which ask its address, are none of them.
    """
    tests = gates.tests.items()
    return {name: _usual(suite, sources) if isinstance(suite, UsualTests) else suite for name, suite in tests}


def _usual(suite: Suite, sources: Snapshot) -> Suite:
    unit = [name for name in sources.entries if name.endswith(".py") and TESTS.fullmatch(name)]
    found = (path for path in suite.paths if any(name.startswith(f"{path}/") for name in unit))
    return replace(suite, paths=[next(found, suite.paths[0])])


def left_out(suites: Mapping[str, Suite], name: str) -> list[str]:
    """Return the paths below those of the suite NAME that it leaves to a release, or to another of SUITES."""
    others = [path for other, suite in suites.items() if other != name for path in suite.paths]
    return [path for path in (*others, SMOKE_TESTS) if any(path.startswith(f"{top}/") for top in suites[name].paths)]
