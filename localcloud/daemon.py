"""Background processes that outlive the command that started them: started once, found again, stopped entirely."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from longshore.errors import StepFailed
from longshore.files import from_json, locked, write_atomically
from longshore.process.command import Command, Secret
from longshore.process.runner import Runner

RUNNING = Path("/run/longshore")  # a folder for each environment that runs
MARK = "LONGSHORE_PART"  # an environment variable of every daemon, which finds one whose pid file was never written
LOG_LIMIT = 10 << 20  # bytes; a longer log becomes .1 at the next start


class Daemon(Struct, frozen=True, kw_only=True):
    """One background process of an environment; `id` is the environment's, unique on this machine."""

    id: str
    name: str
    run: Path
    log: Path

    @property
    def pid_file(self) -> Path:
        return self.run / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Return the pid of the process that we started while it lives; a reused pid does not count."""
        record = self._record()
        return record[0] if record and birth(record[0]) == record[1] else None

    def alive(self) -> bool:
        """Whether the process lives. Takes well under a millisecond."""
        return self.pid() is not None

    def start(self, runner: Runner, command: Command, *, ready: Callable[[], bool], deadline: float) -> bool:
        """Start COMMAND unless it runs already, stopping any other one first, and wait until it is READY.

        Return whether it was started. Raises StepFailed, with the end of its log, if it ends or is not ready after
        DEADLINE seconds.
        """
        with locked(self._lock_file, runner.cancellation.wait):
            fingerprint = hashlib.sha256(repr((command.argv, _plain(command))).encode()).hexdigest()
            record = self._record()
            fresh = not (self.alive() and record and record[2] == fingerprint)
            if fresh:
                self._end()
                self._rotate_log()
                pid = runner.spawn(replace(command, env={**command.env, MARK: f"{self.id}/{self.name}"}), log=self.log)
                write_atomically(self.pid_file, json.dumps([pid, birth(pid), fingerprint]))
            until = time.monotonic() + deadline
            while not ready():
                if not self.alive():
                    raise self._failed("ended right after it was started")
                if time.monotonic() > until:
                    raise self._failed(f"is not ready after {deadline:g} s")
                runner.cancellation.wait(0.03)
            return fresh

    def reload(self) -> None:
        """Ask the process to read its settings again (SIGHUP)."""
        if pid := self.pid():
            send(pid, signal.SIGHUP, group=False)

    def stop(self, grace: float = 8.0) -> None:
        """End the process and its group, if there is one: TERM, and KILL after GRACE seconds."""
        with locked(self._lock_file, time.sleep):
            self._end(grace)

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - 8192))
                return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    @property
    def _lock_file(self) -> Path:
        return self.run / f"{self.name}.lock"

    def _failed(self, what: str) -> StepFailed:
        return StepFailed(f"{self.name} {what}", detail=self.tail(), hint=f"its whole log is {self.log}")

    def _end(self, grace: float = 8.0) -> None:
        pids = {*marked(self.id, self.name), *self._session()}
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            for pid in pids:
                send(pid, number)
            until = time.monotonic() + seconds
            while (pids := {pid for pid in pids if birth(pid)}) and time.monotonic() < until:
                time.sleep(0.02)
        if pids:
            raise StepFailed(f"{self.name} (process {min(pids)}) still runs after SIGKILL")
        self.pid_file.unlink(missing_ok=True)

    def _session(self) -> list[int]:
        """Return the process and all that it started: nginx's workers outlive a killed master and hide their mark."""
        record = self._record()
        if record is None or birth(record[0]) not in ("", record[1]):
            return []  # another process has that pid by now
        return [pid for pid in _processes() if birth(pid) and stat(pid)[3:4] == [str(record[0])]]

    def _record(self) -> tuple[int, str, str] | None:
        try:
            pid, born, fingerprint = from_json(self.pid_file.read_bytes())
            return int(pid), str(born), str(fingerprint)
        except (OSError, ValueError, TypeError):
            return None

    def _rotate_log(self) -> None:
        try:
            if self.log.stat().st_size > LOG_LIMIT:
                self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        except FileNotFoundError:
            pass


def birth(pid: int) -> str:
    """Return when PID started, in the kernel's ticks; an empty text if it has ended, even if it is still a zombie."""
    fields = stat(pid)
    return "" if not fields or fields[0] in "ZX" else fields[19]


def marked(environment: str, name: str = "") -> list[int]:
    """Return the live processes with the mark of the environment with the id ENVIRONMENT, or of its daemon NAME."""
    mark = f"{MARK}={environment}/{name}".encode()
    pids = []
    for pid in _processes():
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(entry == mark if name else entry.startswith(mark) for entry in variables) and birth(pid):
            pids.append(pid)
    return pids


def owner(pid: int, running: Path = RUNNING) -> tuple[str, str] | None:
    """Return the environment's id and the name of the daemon that PID is, or is a child of."""
    leaders = {str(pid), *stat(pid)[3:4]}
    for file in running.glob("*/*.pid"):
        with contextlib.suppress(OSError, ValueError, TypeError, IndexError):
            recorded, born = from_json(file.read_bytes())[:2]
            if str(recorded) in leaders and birth(int(recorded)) == born:
                return file.parent.name, file.stem
    return None


def _processes() -> Iterator[int]:
    """Yield every pid except our own."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())


def stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; none if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def send(pid: int, number: signal.Signals, *, group: bool = True) -> None:
    """Signal PID, or the group that it leads, if it still exists."""
    try:
        if group and os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass


def _plain(command: Command) -> list[tuple[str, str]]:
    return sorted((key, value) for key, value in command.env.items() if not isinstance(value, Secret))
