"""What is printed where there is no terminal."""

from __future__ import annotations

import io

from longshore.console import Console
from longshore.errors import Precondition


def printed() -> tuple[Console, io.StringIO]:
    screen = io.StringIO()
    return Console({}, ci=True, stream=screen), screen


def test_plain_output_has_no_colour_and_no_cursor_movement() -> None:
    console, screen = printed()
    console.started("lint", "check form")
    console.tick()
    console.finished("lint", "31 files", seconds=0.4)
    assert "\033" not in screen.getvalue()
    assert "✔ lint                  0.4 s  31 files" in screen.getvalue()


def test_a_failure_ends_with_sentence_and_hint_after_the_output_that_led_to_it() -> None:
    console, screen = printed()
    console.failure(
        Precondition("port 8443 is taken", hint="set `https_port`", detail="nginx: bind failed"), "edge"
    )
    assert screen.getvalue().split("\n\n")[-1] == "error: edge: port 8443 is taken\nhint: set `https_port`\n"
    assert "  nginx: bind failed" in screen.getvalue()


def test_a_long_silent_step_says_that_it_lives() -> None:
    console, screen = printed()
    console.started("kubernetes", "compile Kubernetes")
    console.progress("kubernetes", "compiling", 10, 40)
    console._running["kubernetes"].said -= 60
    console.tick()
    assert "kubernetes: compiling (10 of 40)" in screen.getvalue()


def test_no_colour_is_honoured_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Console({}, ci=False, stream=Terminal()).colour
    assert not Console({"NO_COLOR": "1"}, ci=False, stream=Terminal()).colour
    assert not Console({"TERM": "dumb"}, ci=False, stream=Terminal()).live
