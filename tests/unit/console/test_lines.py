"""What is printed where there is no terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from longshore.console.lines import Console
from longshore.errors import Precondition


def printed() -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    return Console(ci=True, stream=screen), screen


def test_plain_output_has_no_colour_and_no_cursor_movement() -> None:
    console, screen = printed()
    console.started("lint", "check form")
    console.tick()
    console.finished("lint", "31 files", seconds=0.4)
    assert "\033" not in screen.getvalue()
    assert "✔ lint                  0.4 s  31 files" in screen.getvalue()


def test_a_failure_ends_with_sentence_and_hint_after_the_output_that_led_to_it() -> None:
    console, screen = printed()
    console.failure(Precondition("port 8443 is taken", hint="set `https_port`", detail="nginx: bind failed"), "edge")
    assert screen.getvalue().split("\n\n")[-1] == "error: edge: port 8443 is taken\nhint: set `https_port`\n"
    assert "  nginx: bind failed" in screen.getvalue()


def test_a_long_silent_step_prints_a_heartbeat() -> None:
    console, screen = printed()
    console.started("kubernetes", "compile Kubernetes")
    console.progress("kubernetes", "compiling", 10, 40)
    console._running["kubernetes"].printed_at -= 60
    console.tick()
    assert "kubernetes: compiling (10 of 40)" in screen.getvalue()


def test_no_colour_is_honoured_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Console(stream=Terminal()).colour
    assert not Console(colour=False, stream=Terminal()).colour
    assert not Console(dumb=True, stream=Terminal()).live
    assert not Console(ci=True, stream=Terminal()).live


def test_a_terminal_breaks_a_sentence_between_words_and_leaves_a_path_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "60")
    screen = Terminal()
    path = "/builds/a-team/services/shop/.longshore/report"
    note = f"the pod keeps crashing: the container exited with 3; see {path}"
    Console(colour=False, stream=screen).finished("release", note, seconds=1.5)
    *lines, last = screen.getvalue().splitlines()
    assert lines[0].startswith("✔ release               1.5 s  the pod")
    assert all(len(line) <= 60 for line in lines)
    assert [line[31:] for line in (*lines, last)] == [
        "the pod keeps crashing: the",
        "container exited with 3; see",
        path,
    ]
    assert lines[1].startswith(" " * 31)


def test_in_a_gitlab_job_the_output_of_a_step_is_a_section_that_stands_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1700000009.7)
    log = tmp_path / "test-service.log"
    log.write_text("$ pytest\n3 passed\n")
    screen = io.StringIO()
    console = Console(ci=True, folds="gitlab", stream=screen)
    console.finished("test: service", "3 tests", seconds=9.2, log=log)
    first, *middle, last, end = screen.getvalue().split("\n")
    assert first.startswith("\033[0Ksection_start:1700000000:test__service\r\033[0K")
    assert first.endswith("test: service         9.2 s  3 tests")
    assert "collapsed" not in first
    assert middle == ["$ pytest", "3 passed"]
    assert (last, end) == ("\033[0Ksection_end:1700000009:test__service\r\033[0K", "")


def test_in_a_github_job_the_output_of_a_step_is_a_group(tmp_path: Path) -> None:
    log, screen = tmp_path / "test-service.log", io.StringIO()
    log.write_text("$ pytest\n3 passed\n")
    Console(ci=True, folds="github", stream=screen).finished("test: service", "3 tests", seconds=9.2, log=log)
    first, *middle, last, end = screen.getvalue().split("\n")
    assert first.startswith("::group::")
    assert first.endswith("test: service         9.2 s  3 tests")
    assert (middle, last, end) == (["$ pytest", "3 passed"], "::endgroup::", "")


def test_the_path_of_the_whole_log_comes_before_the_hint(tmp_path: Path) -> None:
    log = tmp_path / "types.log"
    log.write_text("all of it")
    console, screen = printed()
    console.failure(Precondition("3 errors", hint="fix them", detail="a.py:1: error"), "types", log)
    assert screen.getvalue().splitlines()[-3:] == ["error: types: 3 errors", f"log: {log}", "hint: fix them"]


def test_durations_come_with_what_was_up_to_date() -> None:
    console, screen = printed()
    console.durations({"ruff": 0.2, "types": 4.1}, skipped=9, saved=63.4)
    assert screen.getvalue().splitlines() == [
        "",
        "  types                 4.1 s",
        "  ruff                  0.2 s",
        "  9 more up to date, saving 63 s",
    ]
