"""What is printed on a terminal and where there is none."""

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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_colour_is_honoured_on_a_terminal() -> None:
    assert Console(stream=Terminal()).colour
    assert not Console(colour=False, stream=Terminal()).colour
    assert not Console(dumb=True, stream=Terminal()).live
    assert not Console(ci=True, stream=Terminal()).live


PATH = "/builds/a-team/services/shop/.longshore/report/release-1204"  # 59 characters


@pytest.mark.parametrize("dumb", [False, True])
def test_a_terminal_breaks_a_sentence_between_words_and_leaves_a_path_whole(
    monkeypatch: pytest.MonkeyPatch, dumb: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    screen = Terminal()
    note = f"the pod keeps crashing: the container exited with 3; see {PATH}"
    Console(colour=False, dumb=dumb, stream=screen).finished("release", note, seconds=1.5)
    first, *rest = screen.getvalue().splitlines()
    start = first.index("the pod")
    assert first[:start].endswith("✔ release               1.5 s  ")
    assert len(first) <= 70
    assert "".join(line[start:] + " " for line in (first, *rest)) == f"{note} "
    assert all(line[:start].isspace() for line in rest)
    assert rest[-1].strip() == PATH


@pytest.mark.parametrize("dumb", [False, True])
def test_a_terminal_breaks_a_hint_between_words_as_well(monkeypatch: pytest.MonkeyPatch, dumb: bool) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    screen = Terminal()
    hint = f"`invoke release.unlock -e production` releases it once the run is dead; its log is {PATH}"
    Console(colour=False, dumb=dumb, stream=screen).failure(Precondition("locked", hint=hint))
    lines = screen.getvalue().splitlines()[-3:]
    assert lines == [
        "hint: `invoke release.unlock -e production` releases it once",
        "      the run is dead; its log is",
        f"      {PATH}",
    ]


def test_a_terminal_breaks_what_stands_in_a_summary_and_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    screen = Terminal()
    console = Console(colour=False, stream=screen)
    console.summary([("url", "https://shop.localhost:8443"), ("state", "3 of 3 replicas ready; 2 old pods drain")])
    console.sentence("terraform: install version 1.11.4 or newer", "  ✘ ")
    assert screen.getvalue().splitlines()[1:] == [
        "  url    https://shop.localhost:8443",
        "  state  3 of 3 replicas ready; 2 old",
        "         pods drain",
        "  ✘ terraform: install version 1.11.4 or",
        "    newer",
    ]


def test_a_command_that_fits_on_a_line_can_be_copied_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    screen = Terminal()
    command = "`invoke infra.plan -e production`"
    hint = f"look at it with {command} first, or at `terraform -chdir=terraform show of_this_plan`"
    Console(colour=False, stream=screen).failure(Precondition("stale", hint=hint))
    assert screen.getvalue().splitlines()[-5:] == [
        "hint: look at it with",
        f"      {command}",
        "      first, or at `terraform",
        "      -chdir=terraform show",
        "      of_this_plan`",
    ]


def test_what_has_lines_of_its_own_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    screen = Terminal()
    Console(colour=False, stream=screen).failure(Precondition("two of them", hint="first\n  second"))
    assert screen.getvalue().splitlines()[-2:] == ["hint: first", "        second"]


def test_where_there_is_no_terminal_a_sentence_stays_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    console, screen = printed()
    console.failure(Precondition("port 8443 is taken by another program", hint="set `https_port` to one that is free"))
    console.sentence("terraform: install version 1.11.4 or newer", "  ✘ ")
    assert screen.getvalue().splitlines()[1:] == [
        "error: port 8443 is taken by another program",
        "hint: set `https_port` to one that is free",
        "  ✘ terraform: install version 1.11.4 or newer",
    ]


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
