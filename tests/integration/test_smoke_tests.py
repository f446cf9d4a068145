"""The smoke tests of a release, really run by a pytest that was there before the release was."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from longshore.process.runner import Runner
from longshore.rollout import smoke
from longshore.rollout.records import Release
from longshore.rollout.site import Site
from longshore.settings.load import process_environment

RELEASE = cast(Release, SimpleNamespace(revision="two", digest="sha256:two"))
CONFTEST = "import pathlib\n\npathlib.Path(__file__).with_name('read').touch()\n"
TESTS = """import os
import pathlib


def test_it_is_told_what_to_ask() -> None:
    assert (os.environ["LONGSHORE_REVISION"], os.environ["LONGSHORE_URL"]) == ("two", "https://shop.example")


def test_it_is_good() -> None:
    assert pathlib.Path(__file__).with_name("good").exists(), "not yet"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "sources" / "tests" / "smoke"
    folder.mkdir(parents=True)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(TESTS)
    facts: dict[str, Any] = {"url": "https://shop.example", "authority": None, "report": tmp_path / "report"}
    runner = Runner(process_environment(), log_dir=tmp_path / "logs")
    return cast(Site, SimpleNamespace(**facts, runner=runner, sources=lambda: tmp_path / "sources"))


def folder(site: Site) -> Path:
    return site.sources() / "tests" / "smoke"


def left(site: Site) -> list[Path]:
    """The processes that run in SITE's sources."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == site.sources():
                found.append(process)
    return found


def until_waiting(site: Site) -> None:
    """Return once pytest has opened the pipe by which it is told to go on."""
    end = time.monotonic() + 30
    while not any(name.endswith("/start") for process in left(site) for name in opened(process)):
        assert time.monotonic() < end
        time.sleep(0.05)


def opened(process: Path) -> list[str]:
    with suppress(OSError):
        return [str(file.readlink()) for file in (process / "fd").iterdir()]
    return []


def test_pytest_reads_nothing_of_the_sources_before_the_release_serves(site: Site) -> None:
    with smoke.prepared(site, RELEASE) as tests:
        until_waiting(site)
        assert not (folder(site) / "read").exists()
        (folder(site) / "good").touch()
        assert tests() == ""
    assert (folder(site) / "read").exists()
    assert (site.report / "smoke.xml").exists()
    assert not left(site)


def test_what_waits_gives_way_to_the_pods_that_start(site: Site) -> None:
    with smoke.prepared(site, RELEASE):
        until_waiting(site)
        assert {os.getpriority(os.PRIO_PROCESS, int(process.name)) for process in left(site)} == {
            os.getpriority(os.PRIO_PROCESS, 0) + 10
        }


def test_once_it_tests_it_comes_before_old_pods_that_end(site: Site) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    test = f"import os\n\n\ndef test_nice() -> None:\n    assert os.getpriority(os.PRIO_PROCESS, 0) == {ours}\n"
    (folder(site) / "test_it.py").write_text(test)
    with smoke.prepared(site, RELEASE) as tests:
        until_waiting(site)
        assert tests() == ""


def test_what_failed_is_named_and_runs_again(site: Site) -> None:
    with smoke.prepared(site, RELEASE) as tests:
        assert "1 of 2 tests failed" in tests()
        (folder(site) / "good").touch()
        assert tests() == ""


def test_nothing_runs_or_is_left_where_the_release_never_serves(site: Site) -> None:
    with smoke.prepared(site, RELEASE):
        until_waiting(site)
    assert not (folder(site) / "read").exists()
    assert not (site.report / "smoke.xml").exists()
    assert not left(site)


def test_tests_that_hang_are_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smoke, "SMOKE", 2.0)
    (folder(site) / "test_it.py").write_text("import time\n\n\ndef test_hangs() -> None:\n    time.sleep(60)\n")
    with smoke.prepared(site, RELEASE) as tests:
        until_waiting(site)
        assert tests() == "the smoke tests fail: python exceeded its deadline of 2 s"
    assert not left(site)


def test_sources_without_any_have_none_to_wait_for(site: Site) -> None:
    for path in folder(site).iterdir():
        path.unlink()
    folder(site).rmdir()
    with smoke.prepared(site, RELEASE) as tests:
        assert tests() == ""
        assert not left(site)


def test_a_configuration_above_the_sources_leaves_no_test_out(site: Site) -> None:
    (site.sources().parent / "pytest.ini").write_text("[pytest]\naddopts = -k told\n")
    assert "not yet" in smoke.run(site, RELEASE)
