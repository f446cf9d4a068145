"""The only place where a process is started.

Invoke's own `run` orphans children on SIGTERM, reads output in quadratic time and lets a pipe hide a failure; `sh`
gives a terminal to the child and leaves grandchildren alive after a timeout. So `sh` only starts the process, in a
session of its own with plain pipes. The rest happens here: a deadline for the whole group, TERM and then KILL, output
streamed to a file with a bounded tail, redaction on the way.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import selectors
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from longshore.errors import CommandFailed, DiskFull, ToolMissing
from longshore.files import private_folder
from longshore.process import ambient, watchdog
from longshore.process.cancellation import Cancellation
from longshore.process.command import Command, Kind, Secret
from longshore.process.group import Group
from longshore.process.redaction import Redactor, secrets_in
from longshore.process.stream import CHUNK, Listener, Output, Sink, open_log, private_file, stdin

# sh encodes arguments strictly, but a file's name may hold any bytes.
BYTES = "longshore_bytes"
_CODEC = codecs.CodecInfo(lambda text, _="": (os.fsencode(text), len(text)), codecs.utf_8_decode, name=BYTES)
codecs.register(lambda name: _CODEC if name == BYTES else None)


class Result(Struct, frozen=True, kw_only=True):
    """What a command returned: at most 32 MiB of standard output (`raw`); `tail`, the last lines of both streams.

    Both are redacted, but not the standard output of a private command.
    """

    exit_code: int
    raw: bytes
    tail: str
    seconds: float
    log: Path | None

    @property
    def stdout(self) -> str:
        """Standard output as text; what is not UTF-8 is replaced."""
        return self.raw.decode(errors="replace")


class Runner:
    """Runs commands. One per program run; safe to use from several threads.

    ENVIRON are the variables of the shell, of which a command gets what `environment` says. LOG_DIR gets a private log
    per command or step. `redactor` learns the secrets of every command, and of ENVIRON where a name says so. `direct`
    are hosts for which no proxy is used, `changed` tells whether any change was begun.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        log_dir: Path | None = None,
        cancellation: Cancellation | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self.environ = dict(environ)
        self.direct: set[str] = set()
        self.changed = False
        self.log_dir = log_dir
        self.redactor = redactor or Redactor()
        self.redactor.add(*secrets_in(environ))
        self.cancellation = cancellation or Cancellation()
        self._logs = 0
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._watchdog: int | None = None

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Path | None]:
        """Have all that this thread runs in the meantime write to one log, named after the step NAME."""
        with self.writes(self.log_dir / f"{name}.log" if self.log_dir else None):
            yield self.log

    @contextlib.contextmanager
    def writes(self, log: Path | None) -> Iterator[None]:
        """Have all that this thread runs in the meantime write to LOG; with None, each command to one of its own."""
        self._thread.log = log
        try:
            yield
        finally:
            self._thread.log = None

    @property
    def log(self) -> Path | None:
        """The log of the step that this thread does, if it does one."""
        log: Path | None = getattr(self._thread, "log", None)
        return log

    @contextlib.contextmanager
    def fenced(self, check: Callable[[], None]) -> Iterator[None]:
        """Call CHECK before each change that this thread makes in the meantime; it raises to prevent the change."""
        self._thread.fence = check
        try:
            yield
        finally:
            self._thread.fence = None

    def admit(self, *, change: bool) -> None:
        """Return if the next action, a CHANGE or not, may begin. Raises Interrupted, Stopped, what the fence raises."""
        if not change or self.cancellation.requested:
            self.cancellation.check()
        if change and (fence := getattr(self._thread, "fence", None)):
            fence()
        self.changed = self.changed or change

    def environment(self, command: Command) -> dict[str, str]:
        """Return the environment variables of COMMAND."""
        own = {name: value.reveal() if isinstance(value, Secret) else value for name, value in command.env.items()}
        return ambient.chosen(self.environ, command.takes, self.direct) | own

    def run(
        self,
        command: Command,
        *,
        on_line: Listener | None = None,
        check: bool = True,
        enough: Callable[[], bool] | None = None,
    ) -> Result:
        """Run COMMAND to its end; ON_LINE gets each line that it prints. It is ended once ENOUGH returns true.

        Raises ToolMissing, CommandFailed (unless `check` is off), DeadlineExceeded, DiskFull, and Interrupted after the
        whole process group has ended.
        """
        self.admit(change=command.kind is Kind.CHANGE)
        self.redactor.add(*command.all_secrets)
        log = None if command.private else self._log(command.argv[0])
        started = time.monotonic()
        try:
            with open_log(log) as stream:
                if stream:
                    shown = self.redactor.text(command.text)
                    stream.write(os.fsencode(f"{'' if not stream.tell() else chr(10)}$ {shown}\n"))
                output = Output(self.redactor, stream, log, on_line)
                if command.survives and log:
                    exit_code, raw = self._follow(command, output, log.with_suffix(".raw"))
                else:
                    exit_code, raw = self._supervise(command, output, enough)
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"the disk is full: {command.program} could not write its output") from None
            raise
        seconds = time.monotonic() - started
        if check and exit_code != 0:
            raise CommandFailed(command.program, exit_code, log=str(log or ""), tail=output.tail)
        return Result(exit_code=exit_code, raw=raw, tail=output.tail, seconds=seconds, log=log)

    def spawn(self, command: Command, *, log: Path) -> int:
        """Start COMMAND as a daemon that outlives us, in its own session, with both streams in LOG; return its pid."""
        self.cancellation.check()
        log.parent.mkdir(parents=True, exist_ok=True)
        with private_file(log) as stream:
            process = self._start(command, stream, stream)
        return int(process.pid)

    def _supervise(self, command: Command, output: Output, enough: Callable[[], bool] | None) -> tuple[int, bytes]:
        """Run COMMAND with pipes; return its exit code and standard output."""
        sinks = [Sink(self.redactor, output, keep=out, private=command.private) for out in (True, False)]
        self._watch(command)
        readers, writers = zip(*(os.pipe() for _ in sinks), strict=True)
        try:
            with os.fdopen(writers[0], "wb") as out, os.fdopen(writers[1], "wb") as err:
                group = Group(self._start(command, out, err), command, self.cancellation, enough)
            self._watch(command, "+", group.process.pgid)
            with selectors.DefaultSelector() as selector:
                for reader, sink in zip(readers, sinks, strict=True):
                    selector.register(reader, selectors.EVENT_READ, sink)
                _drain(selector, group)
        finally:
            for reader in readers:
                os.close(reader)
        for sink in sinks:
            sink.close()
        output.close()
        try:
            exit_code = group.wait(output.tail)
        finally:
            self._watch(command, "-", group.process.pgid)
        return exit_code, bytes(sinks[0].kept)

    def _follow(self, command: Command, output: Output, raw: Path) -> tuple[int, bytes]:
        """Do as `_supervise`, but have COMMAND write to the file RAW: a broken pipe would kill Terraform in an apply.

        A process of ours in between would be one more that can be killed. So RAW, which is private, holds secrets as
        long as COMMAND runs, and is all that tells what it did if we are killed meanwhile.
        """
        sink = Sink(self.redactor, output, keep=True)
        with private_file(raw) as out, raw.open("rb") as written:
            written.seek(0, os.SEEK_END)
            group = Group(self._start(command, out, out), command, self.cancellation)
            while True:
                ended = group.ended_at is not None  # asked before reading, so that the last lines are read as well
                while chunk := written.read(CHUNK):
                    sink.feed(chunk)
                if ended:
                    break
                sink.settle()
                group.poll()
                time.sleep(0.05)
        raw.unlink()
        sink.close()
        output.close()
        return group.wait(output.tail), bytes(sink.kept)

    def _start(self, command: Command, out: BinaryIO, err: BinaryIO, source: BinaryIO | None = None) -> Any:
        import sh

        env = self.environment(command)
        program = shutil.which(command.argv[0], path=env.get("PATH"))
        if program is None:
            raise ToolMissing(f"{command.argv[0]} is not installed or not on the PATH")
        with source or stdin(command.stdin) as file:
            running = sh.Command(program)(
                *command.argv[1:],
                _bg=True,
                _bg_exc=False,
                _new_session=True,
                _tty_in=False,
                _tty_out=False,
                _in=file,
                _out=out,
                _err=err,
                _env=env,
                _encoding=BYTES,
                _cwd=str(command.cwd) if command.cwd else None,
            )
        return running.process

    def _watch(self, command: Command, sign: str = "", group: int = 0) -> None:
        """Make sure that a watchdog runs for COMMAND; add ("+") GROUP to those that it ends, or remove it ("-")."""
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
        """Return the log of this thread's step, or else a new one for PROGRAM."""
        if self.log_dir is None:
            return None
        if not self.log_dir.parent.exists():
            private_folder(self.log_dir.parent)
        private_folder(self.log_dir)
        if self.log:
            return self.log
        with self._lock:
            self._logs += 1
            return self.log_dir / f"{self._logs:03d}-{Path(program).name}.log"


def _drain(selector: selectors.BaseSelector, group: Group) -> None:
    """Feed the sinks until all pipes are closed, or GROUP's leader has ended and somebody else holds them open."""
    while selector.get_map():
        events = selector.select(timeout=0.05)
        for key, _ in events:
            if chunk := os.read(key.fd, CHUNK):
                key.data.feed(chunk)
            else:
                selector.unregister(key.fileobj)
        if not events:
            for key in selector.get_map().values():
                key.data.settle()
        if group.poll():
            return
