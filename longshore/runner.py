"""The only place where a process is started.

Invoke's own `run` orphans children on SIGTERM, reads output in quadratic time and lets a pipe hide a failure; `sh` gives
a terminal to the child and leaves grandchildren alive after a timeout. So `sh` starts the process in a session of its own with plain
pipes, and everything after that is done here: a deadline for the whole group, TERM and then KILL, output
streamed to a file with a bounded tail, redaction on the way.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import shutil
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from longshore import watchdog
from longshore.cancellation import Cancellation
from longshore.command import Command, Kind, Secret
from longshore.errors import CommandFailed, DeadlineExceeded, DiskFull, ToolMissing
from longshore.redaction import Redactor
from longshore.stream import CHUNK, Listener, Log, Sink, stdin

TAIL = 40  # lines
LINGER = 1.0  # seconds for a grandchild to let go of the pipe after the process has ended, and to be gone once it was killed


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came back: `stdout` redacted and at most 32 MiB, `tail` the last lines of both streams, `seconds` of wall clock."""

    exit_code: int
    stdout: str
    tail: str
    seconds: float
    log: Path | None


class Runner:
    """Runs commands. One per program run; safe to use from several threads."""

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        log_dir: Path | None = None,
        dry_run: bool = False,
        cancellation: Cancellation | None = None,
        announce: Listener | None = None,
    ) -> None:
        self.environ = dict(environ)
        self.log_dir = log_dir
        self.dry_run = dry_run
        self.cancellation = cancellation or Cancellation()
        self._announce = announce or (lambda text: None)
        self._count = 0
        self._lock = threading.Lock()
        self._here = threading.local()
        self._watchdog: int | None = None

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Path | None]:
        """Have all that this thread runs meanwhile write to one log, named after the step NAME."""
        self._here.log = self.log_dir / f"{name}.log" if self.log_dir else None
        try:
            yield self._here.log
        finally:
            self._here.log = None

    @contextlib.contextmanager
    def fenced(self, check: Callable[[], None]) -> Iterator[None]:
        """Have CHECK raise before each change that this thread would make meanwhile."""
        self._here.fence = check
        try:
            yield
        finally:
            self._here.fence = None

    def admit(self, *, change: bool) -> None:
        """Let what comes next begin, be it a CHANGE or not. Raises Interrupted, and what the fence raises."""
        if not change or self.cancellation.requested:
            self.cancellation.check()
        if change and (fence := getattr(self._here, "fence", None)):
            fence()

    def run(self, command: Command, *, on_line: Listener | None = None, check: bool = True) -> Result:
        """Run COMMAND to its end.

        Raises ToolMissing, CommandFailed (unless `check` is off), DeadlineExceeded, DiskFull, and Interrupted after the whole process
        group has ended. In a dry run a change is only announced, and its result is empty.
        """
        self.admit(change=command.kind is Kind.CHANGE)
        redactor = Redactor(_secrets(command))
        shown = redactor.text(command.text)
        if self.dry_run and command.kind is Kind.CHANGE:
            self._announce(f"would run: {shown}")
            return Result(exit_code=0, stdout="", tail="", seconds=0.0, log=None)
        log = None if command.private else self._log(command.argv[0])
        started = time.monotonic()
        try:
            with Log(log) as stream:
                if stream:
                    stream.write(f"$ {shown}\n".encode() if not stream.tell() else f"\n$ {shown}\n".encode())
                if command.survives and log and stream:
                    stream.flush()
                    exit_code, stdout, tail = self._follow(command, log, on_line)
                else:
                    exit_code, stdout, tail = self._supervise(command, stream, on_line)
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    f"the disk is full: {Path(command.argv[0]).name} could not write its output"
                ) from None
            raise
        seconds = time.monotonic() - started
        result = Result(exit_code=exit_code, stdout=stdout, tail=tail, seconds=seconds, log=log)
        if check and exit_code != 0:
            raise CommandFailed(Path(command.argv[0]).name, exit_code, log=str(log or ""), tail=tail)
        return result

    def spawn(self, command: Command, *, log: Path) -> int:
        """Start COMMAND as a daemon in a session of its own, with both streams in LOG; return its pid. It outlives us."""
        self.cancellation.check()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            process = self._start(command, stream, stream)
        return int(process.pid)

    def _supervise(
        self, command: Command, log: BinaryIO | None, on_line: Listener | None
    ) -> tuple[int, str, str]:
        tail: deque[str] = deque(maxlen=TAIL)
        sinks = [
            Sink(Redactor(_secrets(command)), log, tail, on_line, keep=True),
            Sink(Redactor(_secrets(command)), log, tail, on_line, keep=False),
        ]
        self._watch(command)
        readers, writers = zip(*(os.pipe() for _ in sinks), strict=True)
        try:
            with os.fdopen(writers[0], "wb") as out, os.fdopen(writers[1], "wb") as err:
                process = self._start(command, out, err)
            ended = _Ending(process, command, self.cancellation)
            self._watch(command, "+", process.pgid)
            with selectors.DefaultSelector() as selector:
                for reader, sink in zip(readers, sinks, strict=True):
                    selector.register(reader, selectors.EVENT_READ, sink)
                _drain(selector, ended)
        finally:
            for reader in readers:
                os.close(reader)
        for sink in sinks:
            sink.close()
        try:
            exit_code = ended.settle("\n".join(tail))
        finally:
            self._watch(command, "-", process.pgid)
        return exit_code, sinks[0].kept.decode(errors="replace"), "\n".join(tail)

    def _follow(self, command: Command, log: Path, on_line: Listener | None) -> tuple[int, str, str]:
        """Read what the process writes into LOG: a broken pipe would kill Terraform in the middle of an apply."""
        tail: deque[str] = deque(maxlen=TAIL)
        sink = Sink(Redactor(_secrets(command)), None, tail, on_line, keep=True)
        with log.open("rb") as written, log.open("ab") as out:
            written.seek(0, os.SEEK_END)
            ended = _Ending(self._start(command, out, out), command, self.cancellation)
            while True:
                over = (
                    ended.exited_at is not None
                )  # before reading: what was written before the end is read after it
                while chunk := written.read(CHUNK):
                    sink.feed(chunk)
                if over:
                    break
                ended.look()
                time.sleep(0.05)
        sink.close()
        return ended.settle("\n".join(tail)), sink.kept.decode(errors="replace"), "\n".join(tail)

    def _start(self, command: Command, out: BinaryIO, err: BinaryIO, source: BinaryIO | None = None) -> Any:
        import sh

        env = self.environ | {k: v.reveal() if isinstance(v, Secret) else v for k, v in command.env.items()}
        program = shutil.which(command.argv[0], path=env.get("PATH"))
        if program is None:
            raise ToolMissing(f"{command.argv[0]} is not installed or not on the PATH")
        with source or stdin(command.stdin) as given:
            running = sh.Command(program)(
                *command.argv[1:],
                _bg=True, _bg_exc=False, _new_session=True, _tty_in=False, _tty_out=False,
                _in=given, _out=out, _err=err, _env=env, _cwd=str(command.cwd) if command.cwd else None,
            )  # fmt: skip
        return running.process

    def _watch(self, command: Command, sign: str = "", group: int = 0) -> None:
        """Have a watchdog for COMMAND, and tell it of a process group that must not outlive us, should we be killed outright."""
        if not watchdog.covers(command):
            return
        with self._lock:
            if self._watchdog is None:
                reader, self._watchdog = os.pipe()
                with os.fdopen(reader, "rb") as source, open(os.devnull, "wb") as nowhere:
                    self._start(watchdog.PROGRAM, nowhere, nowhere, source)
            if sign:
                with contextlib.suppress(BrokenPipeError):
                    os.write(self._watchdog, f"{sign} {group}\n".encode())

    def _log(self, program: str) -> Path | None:
        if self.log_dir is None:
            return None
        if here := getattr(self._here, "log", None):
            self.log_dir.mkdir(parents=True, exist_ok=True)
            return Path(here)
        with self._lock:
            self._count += 1
            number = self._count
        self.log_dir.mkdir(parents=True, exist_ok=True)
        return self.log_dir / f"{number:03d}-{Path(program).name}.log"


class _Ending:
    """Decides when a process group has to end, and ends it."""

    def __init__(self, process: Any, command: Command, cancellation: Cancellation) -> None:
        self.process, self.command, self.cancellation = process, command, cancellation
        self.started = time.monotonic()
        self.asked_at: float | None = None
        self.late = False
        self.exited_at: float | None = None

    def look(self) -> bool:
        """Apply deadline and cancellation; return whether reading may stop."""
        now = time.monotonic()
        if not self.process.is_alive()[0]:
            self.exited_at = self.exited_at or now
            return now - self.exited_at > LINGER
        self.late = self.late or now - self.started > self.command.deadline
        stopped = self.cancellation.stopping and self.command.kind is Kind.QUERY
        if self.late or self.cancellation.requested or stopped:
            if self.asked_at is None:
                self.asked_at = now
                _signal(self.process, signal.SIGTERM)
            elif now - self.asked_at > self.command.grace or self.cancellation.count > 1:
                _signal(self.process, signal.SIGKILL)
        return False

    def settle(self, tail: str) -> int:
        while not self.look() and self.exited_at is None:
            time.sleep(0.002)
        if _signal(self.process, signal.SIGKILL):  # there is something left of it
            until = time.monotonic() + LINGER
            while watchdog.lives(self.process.pgid) and time.monotonic() < until:
                time.sleep(0.002)
        name = Path(self.command.argv[0]).name
        if self.late:
            raise DeadlineExceeded(f"{name} was ended after {self.command.deadline:g} s", detail=tail)
        if self.asked_at is not None:
            self.cancellation.check(name)
        return int(self.process.exit_code)


def _drain(selector: selectors.BaseSelector, ended: _Ending) -> None:
    while selector.get_map():
        for key, _ in selector.select(timeout=0.05):
            chunk = os.read(key.fd, CHUNK)
            if chunk:
                key.data.feed(chunk)
            else:
                selector.unregister(key.fileobj)
        if ended.look():
            return


def _signal(process: Any, number: signal.Signals) -> bool:
    """Send NUMBER to the process's group; return whether there was anybody to get it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pgid, number)
        return True
    return False


def _secrets(command: Command) -> tuple[Secret, ...]:
    found = [value for value in (*command.env.values(), command.stdin) if isinstance(value, Secret)]
    return (*command.secrets, *found)
