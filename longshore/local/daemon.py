"""Background processes that outlive the command which started them: started once, found again, ended whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from longshore.command import Command, Secret
from longshore.errors import StepFailed
from longshore.local.files import write
from longshore.runner import Runner

MARK = "LONGSHORE_PART"  # in the environment of every daemon, so that one whose pid file was never written is found
LOG_LIMIT = 10 << 20  # bytes; a longer log is set aside as .1 at the next start


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """One background process of an environment. `id` is the environment's, unique on the machine."""

    id: str
    name: str
    run: Path
    log: Path

    @property
    def pid_file(self) -> Path:
        return self.run / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Return the pid while the process that we started lives; a reused number does not count."""
        record = self._record()
        return record[0] if record and birth(record[0]) == record[1] else None

    def alive(self) -> bool:
        """Whether the process lives. Takes well under a millisecond."""
        return self.pid() is not None

    def start(self, runner: Runner, command: Command, *, ready: Callable[[], bool], deadline: float) -> bool:
        """Start COMMAND, or keep the one that runs if it is the same, and wait until it is READY.

        Return whether it was started. Raises StepFailed, with the end of its log, if it ends or is not ready in DEADLINE seconds.
        """
        with self._alone():
            fingerprint = hashlib.sha256(repr((command.argv, _plain(command))).encode()).hexdigest()
            record = self._record()
            fresh = not (self.alive() and record and record[2] == fingerprint)
            if fresh:
                self._end()
                self._set_log_aside()
                pid = runner.spawn(
                    replace(command, env={**command.env, MARK: f"{self.id}/{self.name}"}), log=self.log
                )
                write(self.pid_file, json.dumps([pid, birth(pid), fingerprint]))
            until = time.monotonic() + deadline
            while not ready():
                if not self.alive():
                    raise StepFailed(
                        f"{self.name} ended right after its start",
                        detail=self.tail(),
                        hint=f"its log is {self.log}",
                    )
                if time.monotonic() > until:
                    raise StepFailed(
                        f"{self.name} is not ready after {deadline:g} s",
                        detail=self.tail(),
                        hint=f"its log is {self.log}",
                    )
                runner.cancellation.wait(0.03)
            return fresh

    def hang_up(self) -> None:
        """Ask the process to read its settings again."""
        if pid := self.pid():
            _signal(pid, signal.SIGHUP, group=False)

    def stop(self, grace: float = 8.0) -> None:
        """End the process and its group: TERM, and KILL after GRACE seconds. Fine if there is none."""
        with self._alone():
            self._end(grace)

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - 8192))
                return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _end(self, grace: float = 8.0) -> None:
        pids = {*marked(self.id, self.name), *self._session()}
        for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            for pid in pids:
                _signal(pid, number)
            until = time.monotonic() + seconds
            while (pids := {pid for pid in pids if birth(pid)}) and time.monotonic() < until:
                time.sleep(0.02)
        if pids:
            raise StepFailed(f"{self.name} (pid {min(pids)}) does not end, not even by KILL")
        self.pid_file.unlink(missing_ok=True)

    def _session(self) -> list[int]:
        """Return the process and all that it started: nginx's workers outlive a killed master, and hide their mark."""
        record = self._record()
        if record is None or birth(record[0]) not in ("", record[1]):
            return []  # the number belongs to somebody else by now
        return [pid for pid in _processes() if birth(pid) and _stat(pid)[3:4] == [str(record[0])]]

    def _record(self) -> tuple[int, str, str] | None:
        try:
            pid, born, fingerprint = json.loads(self.pid_file.read_text())
            return int(pid), str(born), str(fingerprint)
        except (OSError, ValueError, TypeError):
            return None

    def _set_log_aside(self) -> None:
        try:
            if self.log.stat().st_size > LOG_LIMIT:
                self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        except FileNotFoundError:
            pass

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.run.mkdir(parents=True, exist_ok=True)
        with (self.run / f"{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def birth(pid: int) -> str:
    """Return when PID started, in the kernel's ticks; an empty text where it has ended, be it a zombie still."""
    fields = _stat(pid)
    return "" if not fields or fields[0] in "ZX" else fields[19]


def marked(environment: str, name: str = "") -> list[int]:
    """Return the live processes that carry the mark of the ENVIRONMENT with that id, or of its daemon NAME."""
    wanted = f"{MARK}={environment}/{name}".encode()
    found = []
    for pid in _processes():
        try:
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(one == wanted if name else one.startswith(wanted) for one in variables) and birth(pid):
            found.append(pid)
    return found


def _processes() -> Iterator[int]:
    """Yield every pid but our own."""
    return (
        int(one.name) for one in os.scandir("/proc") if one.name.isdigit() and int(one.name) != os.getpid()
    )


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _signal(pid: int, number: signal.Signals, *, group: bool = True) -> None:
    """Signal PID, or the group that it leads."""
    try:
        if group and os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass


def _plain(command: Command) -> list[tuple[str, str]]:
    return sorted((key, value) for key, value in command.env.items() if not isinstance(value, Secret))
