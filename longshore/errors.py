"""Every failure that a user can meet, with its exit code, sentence and hint.

Exit codes are a contract: 2 bad input, 3 a precondition is missing, 4 somebody else holds the lock, 5 failed and what
was serving is unchanged, 6 failed and rolled back, 7 unknown or partial state, 130/143 interrupted.
"""

from __future__ import annotations

import errno
import signal

KILLED = (
    "a machine that runs out of memory kills programs (`dmesg` says so): run the same command again with more of it"
)


class Failure(Exception):
    """A failure that is reported without a traceback.

    `sentence` says what happened, `hint` what to do next; `detail` has the last lines of output.
    """

    exit_code = 5
    hint = ""

    def __init__(self, sentence: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint or type(self).hint
        self.detail = detail


class BadInput(Failure):
    """Settings, arguments or manifests are wrong. Nothing was run."""

    exit_code = 2


class Precondition(Failure):
    """A tool, a credential, a free port, disk space or the right cluster is missing."""

    exit_code = 3


class ToolMissing(Precondition):
    """A program that a command needs is not on the PATH."""

    hint = "`invoke doctor` lists what is missing and how to install it"


class LockHeld(Failure):
    """Somebody else is changing the same thing."""

    exit_code = 4


class StepFailed(Failure):
    """A step failed before it touched anything that serves."""

    exit_code = 5
    hint = "fix it and run the same command again; finished steps are not repeated"


class GateFailed(StepFailed):
    """A check found a problem, or could not show that it examined anything."""


def ending(exit_code: int, verb: str = "ended") -> str:
    """Return how a program ended: `ended with exit code 3`. A negative code is the signal that killed it."""
    if exit_code >= 0:
        return f"{verb} with exit code {exit_code}"
    named = {each.value: each.name for each in signal.Signals}
    return f"was killed by {named.get(-exit_code, f'signal {-exit_code}')}"


class CommandFailed(StepFailed):
    """A program returned an exit code other than 0, or was killed."""

    def __init__(self, program: str, exit_code: int, *, log: str = "", tail: str = "", hint: str = "") -> None:
        where = f"; its output is in {log}" if log else ""
        hint = hint or (KILLED if exit_code == -signal.SIGKILL else "")
        super().__init__(f"{program} {ending(exit_code, 'failed')}{where}", detail=tail, hint=hint)
        self.program = program
        self.program_exit_code = exit_code


class DeadlineExceeded(StepFailed):
    """A program was stopped because it exceeded its deadline."""


class DiskFull(Precondition):
    """The disk is full."""

    hint = "free some space (`invoke local.status` shows how much Longshore uses), then run the same command again"


class FileUnusable(Precondition):
    """The system does not let us read or write a file or a folder."""

    hint = "check its owner, its mode and what lies at its path; Longshore writes to .longshore/ in the project"


UNUSABLE = ["EACCES", "EPERM", "EROFS", "ENOTDIR", "EISDIR", "EEXIST", "ELOOP", "ENAMETOOLONG", "EIO"]


def of_system(problem: BaseException | None) -> Failure | None:
    """Return as a failure what the system refused for a reason outside Longshore; None for a fault of Longshore's."""
    name = errno.errorcode.get(problem.errno or 0) if isinstance(problem, OSError) else None
    if name in ("ENOSPC", "EDQUOT"):
        return DiskFull("the disk is full")
    if isinstance(problem, OSError) and name in UNUSABLE and problem.filename is not None:
        return FileUnusable(f"{problem.filename} cannot be used: {problem.strerror}")
    return None


class RolledBack(Failure):
    """The new release failed; the last good one serves again, which was verified."""

    exit_code = 6


class StateUnknown(Failure):
    """What serves now is unknown or partly changed: a person must check."""

    exit_code = 7


class Unexpected(Failure):
    """A mistake of ours: ERROR is an exception that is no Failure. The exit code is 7 where something was changed."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"unexpected {type(error).__name__}: {str(error).partition(chr(10))[0]}".rstrip(": "))
        self.error = error


class Interrupted(Failure):
    """A signal stopped the run. Child processes have ended and our own lock is released."""

    def __init__(self, signal_number: int, during: str = "") -> None:
        name = {1: "SIGHUP", 2: "Ctrl-C", 15: "SIGTERM"}.get(signal_number, f"signal {signal_number}")
        super().__init__(
            f"interrupted by {name}" + (f" during {during}" if during else ""),
            hint="run the same command again; finished steps are not repeated",
        )
        self.exit_code = 128 + signal_number


class Stopped(Failure):
    """Stopped because another step failed; never the failure that is reported."""
