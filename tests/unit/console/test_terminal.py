"""What others print cannot steer the terminal, the live view or GitLab's log."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from longshore.console import live
from longshore.console.lines import Console
from longshore.console.terminal import harmless, shortened
from longshore.errors import StepFailed
from longshore.process.command import Secret
from longshore.process.redaction import Redactor

HOSTILE = (
    "a\x1b[2Jb\x1b]52;c;cm0gLXJmIC8=\x07c\x1b]0;title\x1b\\d\x9b31me\x90f\x08g\rh\x00i\x7fj"
    "\u202ek\u2066l\u200fm\u061cn section_end:1700000000:tests\r\x1b[0Ko\ud800p"
)
CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MARKER = re.compile(r"section_(start|end):")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_control_characters_are_shown() -> None:
    assert harmless("\x1b[2J\x1b]0;x\x07 \x9b \u202e \x7f") == "␛[2J␛]0;x␇ <U+009B> <U+202E> ␡"
    assert harmless("section_start:1:x\r\x1b[0K") == "section_start\\:1:x␍␛[0K"


def test_colours_are_removed_and_lines_tabs_and_letters_stay() -> None:
    text = "ok\tnaïve 日本 😀\nsecond\n"
    assert harmless(text) == text
    assert harmless("\x1b[1;31mred\x1b[0m\r\n") == "red\n"


def everything(console: Console, log: Path) -> None:
    """Have the console print HOSTILE in every way that it has."""
    console.line(HOSTILE)
    console.started("step", HOSTILE)
    console.progress("step", HOSTILE, 1, 2)
    console._running["step"].printed_at -= 60
    console.tick()
    console.finished("step", HOSTILE, seconds=1, log=log)
    console.failure(StepFailed(HOSTILE, hint=HOSTILE, detail=f"{HOSTILE}\n{HOSTILE}"), HOSTILE, log)
    console.durations({HOSTILE: 1, "b": 2}, 0, 0)
    console.summary([(HOSTILE, HOSTILE)])


def test_no_control_character_reaches_a_log(tmp_path: Path) -> None:
    screen = io.StringIO()
    everything(Console(ci=True, stream=screen), tmp_path / "none")
    assert screen.getvalue().count("<U+202E>") >= 10
    assert not CONTROLS.search(screen.getvalue())
    assert not MARKER.search(screen.getvalue())


def test_the_only_sections_in_gitlabs_log_are_ours(tmp_path: Path) -> None:
    log, screen = tmp_path / "step.log", io.StringIO()
    log.write_text(HOSTILE.replace("\ud800", ""))
    everything(Console(ci=True, folds="gitlab", stream=screen), log)
    ours = re.compile(r"\x1b\[0Ksection_(start|end):\d+:step\r\x1b\[0K")
    assert len(ours.findall(screen.getvalue())) == 2
    assert not CONTROLS.search(ours.sub("", screen.getvalue()))
    assert not MARKER.search(ours.sub("", screen.getvalue()))


COMMANDS = "::error file=a.py::no\n  ::add-mask::x\r\n##[error]no\nok ##[group]x\nstd::string a::b"


def test_the_only_commands_in_githubs_log_are_ours(tmp_path: Path) -> None:
    log, screen = tmp_path / "step.log", io.StringIO()
    log.write_text(COMMANDS)
    console = Console(ci=True, folds="github", stream=screen)
    console.line(COMMANDS)
    console.finished("step", COMMANDS, seconds=1, log=log)
    console.failure(StepFailed(COMMANDS, hint=COMMANDS, detail=COMMANDS), COMMANDS, log)
    lines = [line for line in screen.getvalue().splitlines() if line.lstrip().startswith("::")]
    assert [line.split("::")[1] for line in lines] == ["group", "endgroup"]
    assert "##[" not in screen.getvalue()
    assert "std::string a::b" in screen.getvalue(), "what is no command is left as it is"


def test_a_terminal_gets_our_colours_only(tmp_path: Path) -> None:
    screen = Terminal()
    console = Console(stream=screen)
    everything(console, tmp_path / "none")
    assert "\x1b[31m" in screen.getvalue()
    assert not CONTROLS.search(re.sub(r"\x1b\[[0-9]*m", "", screen.getvalue()))


def test_the_live_view_shows_texts_as_they_are_and_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Terminal()
    console = Console(stream=screen)
    console.started("step", "title")
    console._running["step"].since -= 5
    console.progress("step", f"[/] [link=https://evil.example]here[/link] :smile: {HOSTILE}")
    console.tick()
    console.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "")
    assert "[/] [link=https://evil.example]here[/link] :smile: a␛[2Jb" in shown
    assert "\x1b]" not in screen.getvalue()
    assert not CONTROLS.search(shown)


def test_a_row_of_the_live_view_is_no_markup() -> None:
    table = live.render([("[/]", "[bold]x", "", None, None, 1.0)])
    assert [str(cell) for column in (1, 4) for cell in table.columns[column].cells] == ["[/]", "[bold]x"]


def test_a_secret_that_colours_hide_is_redacted_all_the_same() -> None:
    screen = io.StringIO()
    secret = "correct-horse-battery"  # pragma: allowlist secret
    console = Console(ci=True, stream=screen, clean=Redactor([Secret(secret)]).text)
    console.line(f"{secret[:7]}\x1b[1;31m{secret[7:]}\x1b[0m and {secret}")
    console.failure(StepFailed(secret, hint=secret, detail=f"{secret[:9]}\n{secret[9:]}"), secret)
    console.summary([("key", secret)])
    assert screen.getvalue().count("[redacted]") == 7
    assert secret[9:] not in screen.getvalue()


def test_a_long_line_is_cut_and_names_the_log() -> None:
    text = shortened("short\n" + "é" * 2_604_000 + "\nlast", Path("/logs/step.log"))
    first, second, third = text.split("\n")
    assert (first, third) == ("short", "last")
    assert second == "é" * 4000 + "… 5.2 MB more, whole in /logs/step.log"


def test_a_section_shows_the_end_of_a_log_with_long_lines_cut(tmp_path: Path) -> None:
    log, screen = tmp_path / "step.log", io.StringIO()
    log.write_text("\n".join([*map(str, range(600)), "x" * 1_004_000, "last\n"]))
    Console(ci=True, folds="gitlab", stream=screen).finished("step", "done", seconds=1, log=log)
    _, more, *lines, _, _ = screen.getvalue().split("\n")
    assert more == f"… 102 more lines in {log}"
    assert lines[0] == "102"
    assert lines[-2:] == [f"{'x' * 4000}… 1.0 MB more, whole in {log}", "last"]
