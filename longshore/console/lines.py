"""What a person reads while a command runs: a line per step, a live view of running steps, the failure, the summary."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from longshore.console import live
from longshore.console.running import Running
from longshore.console.terminal import abandon, harmless, shortened
from longshore.errors import Failure

HEARTBEAT = 10.0  # seconds between plain lines, so that nobody takes a silent job for a dead one
REFRESH = 0.25  # seconds between two pictures of the live view: drawing takes CPU time from compilers
SHOWN = 500  # lines of a step's output in a job's log
_COMMAND = re.compile("`[^`\n]+`")  # as a sentence has it
GREEN, RED, YELLOW, DIM, RESET = "\033[32m", "\033[31m", "\033[33m", "\033[2m", "\033[0m"


class Console:
    """Writes to a terminal with colour and a live view, and elsewhere plain lines with the time.

    CI means no live view even on a terminal, FOLDS who shows the log and can fold parts of it (gitlab, github). A DUMB
    terminal cannot move its cursor. CLEAN redacts secrets from all that is printed.
    """

    def __init__(
        self,
        *,
        ci: bool = False,
        folds: str = "",
        dumb: bool = False,
        colour: bool = True,
        stream: TextIO | None = None,
        clean: Callable[[str], str] = str,
    ) -> None:
        self.stream = stream or sys.stdout
        self.breaks = self.stream.isatty() and not ci
        self.live = self.breaks and not dumb
        self.folds = folds
        self.colour = self.live and colour
        self._running: dict[str, Running] = {}
        self._lock = threading.RLock()
        self._view: Any = None
        self._drawn_at = 0.0
        self._clean = clean

    def safe(self, text: str, log: Path | None = None) -> str:
        """Return TEXT without secrets, control characters and the ends of long lines, which are in LOG."""
        # Twice, since removing a colour may join the parts of a secret, and showing a control character may part them.
        return shortened(self._clean(harmless(self._clean(text))), log)

    def line(self, text: str = "") -> None:
        """Print TEXT above the live view."""
        self._print(self.safe(text))

    def sentence(self, text: str, lead: str = "") -> None:
        """Print TEXT, which a person reads, after LEAD, broken between words at the width of the terminal."""
        self._print(f"{lead}{self.fitted(self.safe(text), len(lead))}")

    def _print(self, text: str) -> None:
        """Print TEXT, which is safe and may have colours of ours."""
        with self._lock, self._reader_may_be_gone():
            if self._view:
                self._view.console.print(text, markup=False, highlight=False, soft_wrap=True)
                return
            print(text, file=self.stream, flush=True)

    def started(self, name: str, title: str) -> None:
        """Take note that the step NAME begins."""
        title = self.safe(title)
        with self._lock:
            self._running[name] = Running(title=title)
        if not self.live:
            self._print(f"{_clock()} {self.safe(name)}: {title}")

    def progress(self, name: str, text: str, done: int | None = None, total: int | None = None) -> None:
        """Take a report of the step NAME; DONE of TOTAL gives a bar and the remaining time."""
        text = self.safe(text)
        with self._lock:
            if step := self._running.get(name):
                step.report(text, done, total)

    def finished(
        self, name: str, note: str = "", *, seconds: float | None = None, ok: bool = True, log: Path | None = None
    ) -> None:
        """Print one line for the step NAME, which has ended, and in a job its whole output, too."""
        with self._lock:
            step = self._running.pop(name, None)
        took = seconds if seconds is not None else time.monotonic() - step.since if step else 0.0
        mark = self._paint("✔", GREEN) if ok else self._paint("✘", RED)
        at = "" if self.live else f"{_clock()} "
        fitted = self.fitted(self.safe(note, log), len(at) + 31)
        text = f"{at}{mark} {self.safe(name):<18} {took:6.1f} s  {fitted}"
        if self.folds and log and log.exists():
            text = FOLDED[self.folds](name, text, took, self._end_of(log))
        self._print(text)

    def tick(self) -> None:
        """Refresh the live view, or print a heartbeat; whoever waits calls this several times a second."""
        now = time.monotonic()
        with self._lock:
            if self.live:
                with self._reader_may_be_gone():
                    self._refresh(now)
                return
            for name, step in self._running.items():
                if now - step.printed_at > HEARTBEAT:
                    step.printed_at = now
                    self._print(f"{_clock()} {self.safe(name)}: {step.describe(now)}")

    def close(self) -> None:
        """Remove the live view."""
        with self._lock, self._reader_may_be_gone():
            view, self._view = self._view, None
            if view:
                view.stop()

    def failure(self, failure: Failure, step: str = "", log: Path | None = None) -> None:
        """Print the last lines of output, what failed, where the whole log is, and what to do next."""
        self.close()
        if failure.detail:
            self.line()
            for text in self.safe(failure.detail, log).split("\n"):
                self._print(f"  {text}")
        self.line()
        sentence = self.safe(f"{step}: {failure.sentence}" if step else failure.sentence, log)
        self._print(f"{self._paint('error:', RED)} {self.fitted(sentence, 7)}")
        if log and log.exists():
            self._print(f"{self._paint('log:', YELLOW)} {self.safe(str(log))}")
        if failure.hint:
            self._print(f"{self._paint('hint:', YELLOW)} {self.fitted(self.safe(failure.hint), 6)}")

    def durations(self, ran: Mapping[str, float], skipped: int, saved: float) -> None:
        """Print how long each step took, the longest first, and how many were up to date, which SAVED seconds."""
        self.close()
        if len(ran) > 1:
            self.line()
            for name, seconds in sorted(ran.items(), key=lambda step: -step[1]):
                self.line(f"  {name:<18} {seconds:6.1f} s")
        if ran and skipped:
            self.line(f"  {skipped} more up to date" + (f", saving {saved:.0f} s" if saved >= 1 else ""))

    def summary(self, rows: list[tuple[str, str]]) -> None:
        """Print the end of a run: ROWS of name and value."""
        self.close()
        self.line()
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            text = self.fitted(self.safe(value), width + 4)
            self._print(f"  {self._paint(self.safe(name).ljust(width), DIM)}  {text}")

    def _end_of(self, log: Path) -> list[str]:
        """Return the last lines of LOG, and how many there are before them."""
        lines: deque[str] = deque(maxlen=SHOWN)
        count = 0
        with log.open(errors="replace", newline="\n", encoding="utf-8") as stream:
            for line in stream:
                lines.append(line)
                count += 1
        cut = [f"… {count - SHOWN} more lines in {log}"] if count > SHOWN else []
        return [*cut, *self.safe("".join(lines).removesuffix("\n"), log).split("\n")]

    def _paint(self, text: str, colour: str) -> str:
        return f"{colour}{text}{RESET}" if self.colour else text

    def fitted(self, text: str, indent: int = 2) -> str:
        """Return TEXT, which is safe, broken between words at the width of the terminal, with the rest indented.

        A path stays whole, and a command that a line has room for, so that it can be copied.
        """
        if not self.breaks:
            return text
        width = max(shutil.get_terminal_size().columns - indent, 20)  # 80 columns if the terminal is closed
        wrapped = textwrap.TextWrapper(width, break_long_words=False, break_on_hyphens=False)
        held = _COMMAND.sub(lambda found: found[0].replace(" ", "\0") if len(found[0]) <= width else found[0], text)
        lines = [part for line in held.split("\n") for part in wrapped.wrap(line) or [""]]
        return f"\n{' ' * indent}".join(lines).replace("\0", " ")

    def _refresh(self, now: float) -> None:
        slow = any(now - step.since > 0.3 for step in self._running.values())
        if (self._view is None and not slow) or now - self._drawn_at < REFRESH:
            return
        self._drawn_at = now
        if self._view is None:
            self._view = live.start(self.stream)
        rows = [
            (name, step.text or step.title, step.count(now), step.done, step.total, now - step.since)
            for name, step in self._running.items()
        ]
        self._view.update(live.render(rows), refresh=True)

    @contextmanager
    def _reader_may_be_gone(self) -> Iterator[None]:
        """Print within; once that fails (a closed terminal, `| head`, a full disk), carry on without output.

        What a run does to an environment must not depend on who reads about it.
        """
        try:
            yield
        except OSError:
            abandon(self.stream)


def _section(name: str, header: str, took: float, lines: list[str]) -> str:
    """Return LINES as a section that GitLab can fold; one text, so that parallel steps do not mix."""
    key, now = re.sub(r"[^A-Za-z0-9_.-]", "_", name), int(time.time())
    start = f"\033[0Ksection_start:{now - int(took)}:{key}\r\033[0K{header}"
    return "\n".join([start, *lines, f"\033[0Ksection_end:{now}:{key}\r\033[0K"])


def _group(_name: str, header: str, _took: float, lines: list[str]) -> str:
    """Return LINES as a group that GitHub folds; an empty one has nothing to fold."""
    return "\n".join([f"::group::{header}", *lines, "::endgroup::"]) if lines else header


FOLDED = {"gitlab": _section, "github": _group}


def _clock() -> str:
    return time.strftime("%H:%M:%S")
