"""What a person reads while a command runs: a line per step, a live view of what is running, one failure, one summary."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from longshore.errors import Failure

HEARTBEAT = 10.0  # seconds between plain lines: short enough that a silent job is never taken for a dead one
REFRESH = 0.25  # seconds between two pictures of the live view: drawing costs time that compilers could use
SHOWN = 500  # lines of a step's output in a job's log
GREEN, RED, YELLOW, DIM, RESET = "\033[32m", "\033[31m", "\033[33m", "\033[2m", "\033[0m"


@dataclass
class _Running:
    title: str
    since: float
    text: str = ""
    done: int | None = None
    total: int | None = None
    said: float = field(default_factory=time.monotonic)
    first: tuple[float, int] | None = None  # when counting began, and at which count: for the remaining time


class Console:
    """Writes to a terminal with colour and a live view, elsewhere plain lines; data for programs goes to standard output alone."""

    def __init__(
        self, environ: Mapping[str, str], *, ci: bool, as_json: bool = False, stream: TextIO | None = None
    ) -> None:
        self.stream = stream or (sys.stderr if as_json else sys.stdout)
        terminal = self.stream.isatty() and environ.get("TERM") != "dumb"
        self.live = terminal and not ci
        self.sections = environ.get("GITLAB_CI", "") not in ("", "0", "false")
        self.colour = self.live and not environ.get("NO_COLOR")
        self._running: dict[str, _Running] = {}
        self._lock = threading.RLock()
        self._view: Any = None
        self._drawn = 0.0

    def paint(self, text: str, colour: str) -> str:
        """Return TEXT in COLOUR on a terminal, as it is elsewhere."""
        return f"{colour}{text}{RESET}" if self.colour else text

    def line(self, text: str = "") -> None:
        """Print one line above the live view."""
        with self._lock, self._unheard():
            if self._view:
                self._view.console.print(text, markup=False, highlight=False, soft_wrap=True)
                return
            print(text, file=self.stream, flush=True)

    def _fit(self, text: str, indent: int) -> str:
        """Break TEXT between words where a terminal ends, and go on at INDENT; what has no spaces, as a path, stays whole."""
        if not self.live:
            return text
        columns = shutil.get_terminal_size().columns  # 80 of one that is closed
        parts = textwrap.wrap(text, max(columns - indent, 20), break_long_words=False, break_on_hyphens=False)
        return f"\n{' ' * indent}".join(parts)

    @contextmanager
    def _unheard(self) -> Iterator[None]:
        """Print within; when nobody is there to read it any more (a closed terminal, `| head`), go on without saying anything."""
        try:
            yield
        except OSError as problem:
            if problem.errno not in (errno.EPIPE, errno.EIO):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)

    def started(self, name: str, title: str) -> None:
        """A step begins."""
        with self._lock:
            self._running[name] = _Running(title=title, since=time.monotonic())
        if not self.live:
            self.line(f"{self._clock()} {name}: {title}")

    def progress(self, name: str, text: str, done: int | None = None, total: int | None = None) -> None:
        """A step says where it is; DONE of TOTAL makes a bar and a remaining time."""
        with self._lock:
            row = self._running.get(name)
            if row is None:
                return
            row.text, row.done, row.total = text, done, total
            if done is not None and row.first is None:
                row.first = (time.monotonic(), done)

    def finished(
        self,
        name: str,
        note: str = "",
        *,
        seconds: float | None = None,
        ok: bool = True,
        log: Path | None = None,
    ) -> None:
        """A step has ended: one line, with what it has to say and how long it took; in a GitLab job its whole output below that."""
        with self._lock:
            row = self._running.pop(name, None)
        took = seconds if seconds is not None else time.monotonic() - row.since if row else 0.0
        mark = self.paint("✔", GREEN) if ok else self.paint("✘", RED)
        text = f"{mark} {name:<18} {took:6.1f} s  {self._fit(note, 31)}"
        text = text if self.live else f"{self._clock()} {text}"
        if self.sections and log and log.exists():
            self._section(name, text, took, log)
        else:
            self.line(text)

    def tick(self) -> None:
        """Refresh the live view, or print a heartbeat; called several times a second by whoever waits."""
        now = time.monotonic()
        with self._lock:
            if self.live:
                with self._unheard():
                    self._refresh(now)
                return
            for name, row in self._running.items():
                if now - row.said > HEARTBEAT:
                    row.said = now
                    self.line(f"{self._clock()} {name}: {_describe(row, now)}")

    def close(self) -> None:
        """Take the live view away."""
        with self._lock, self._unheard():
            view, self._view = self._view, None
            if view:
                view.stop()

    def failure(self, failure: Failure, step: str = "", log: Path | None = None) -> None:
        """Print what failed, the last lines of its output, where the whole of it is, and what to do next; last on the screen."""
        self.close()
        if failure.detail:
            self.line()
            for text in failure.detail.splitlines():
                self.line(f"  {text}")
        self.line()
        where = f"{step}: " if step else ""
        self.line(f"{self.paint('error:', RED)} {self._fit(where + failure.sentence, 7)}")
        if log and log.exists():
            self.line(f"{self.paint('log:', YELLOW)} {log}")
        if failure.hint:
            self.line(f"{self.paint('hint:', YELLOW)} {failure.hint}")

    def durations(self, ran: Mapping[str, float], skipped: int, saved: float) -> None:
        """Print how long each step took, the longest first, and what did not have to run again."""
        self.close()
        if len(ran) > 1:
            self.line()
            for name, seconds in sorted(ran.items(), key=lambda item: -item[1]):
                self.line(f"  {name:<18} {seconds:6.1f} s")
        if ran and skipped:
            spared = f", which spared {saved:.0f} s" if saved >= 1 else ""
            self.line(f"  {skipped} more had nothing to do{spared}")

    def _section(self, name: str, header: str, took: float, log: Path) -> None:
        """Print what is in LOG as a section that GitLab lets a reader fold; a log of many megabytes is cut at the front."""
        lines = log.read_text(errors="replace").splitlines()
        cut = [f"… {len(lines) - SHOWN} lines more in {log}"] if len(lines) > SHOWN else []
        key, now = re.sub(r"[^A-Za-z0-9_.-]", "_", name), int(time.time())
        parts = [
            f"\033[0Ksection_start:{now - int(took)}:{key}\r\033[0K{header}", *cut, *lines[-SHOWN:],
            f"\033[0Ksection_end:{now}:{key}\r\033[0K",
        ]  # fmt: skip
        self.line("\n".join(parts))  # at once: steps that run side by side do not mix

    def summary(self, rows: list[tuple[str, str]]) -> None:
        """Print the last words of a run: name and value, one a line."""
        self.close()
        self.line()
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self.line(f"  {self.paint(name.ljust(width), DIM)}  {value}")

    def _refresh(self, now: float) -> None:
        # Importing rich takes longer than most runs that have nothing to do.
        slow = [row for row in self._running.values() if now - row.since > 0.3]
        if (self._view is None and not slow) or now - self._drawn < REFRESH:
            return
        self._drawn = now
        from longshore import console_live

        if self._view is None:
            self._view = console_live.start(self.stream)
        rows = [
            (name, row.text or row.title, _count(row, now), row.done, row.total, now - row.since)
            for name, row in self._running.items()
        ]
        self._view.update(console_live.render(rows), refresh=True)

    @staticmethod
    def _clock() -> str:
        return time.strftime("%H:%M:%S")


def _describe(row: _Running, now: float) -> str:
    text, count = row.text or row.title, _count(row, now)
    return f"{text} ({count})" if count else text


def _count(row: _Running, now: float) -> str:
    """Return `93 of 220, about 56 s left`; an empty text where nothing is counted, no time where it cannot be told yet."""
    if row.done is None or not row.total:
        return ""
    text = f"{row.done} of {row.total}"
    if row.first is None:
        return text
    since, at = row.first
    if row.done - at < max(5, row.total / 20) or now - since < 3:  # the first few say too little
        return text
    left = (row.total - row.done) * (now - since) / (row.done - at)
    return f"{text}, about {left / 60:.0f} min left" if left > 90 else f"{text}, about {left:.0f} s left"
