"""Every failure a user can meet: its exit code, its sentence, its hint.

Exit codes are a contract: 2 bad input, 3 a precondition is missing, 4 somebody else holds the lock, 5 failed and what
was serving is unchanged, 6 failed and rolled back, 7 unknown or partial state, 130/143 interrupted.
"""

from __future__ import annotations


class Failure(Exception):
    """A failure with a name. `sentence` says what happened, `hint` what to do next."""

    exit_code = 5
    hint = ""

    def __init__(self, sentence: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint or type(self).hint
        self.detail = detail  # the last lines of output, shown between sentence and hint


class BadInput(Failure):
    """Settings, arguments or manifests are wrong. Nothing was executed."""

    exit_code = 2


class Precondition(Failure):
    """A tool, a credential, a port, disk space or the right cluster is missing."""

    exit_code = 3


class ToolMissing(Precondition):
    """A program that a command needs is not on the PATH."""

    hint = "`invoke doctor` lists what is missing and how to get it"


class LockHeld(Failure):
    """Somebody else is changing the same thing."""

    exit_code = 4


class StepFailed(Failure):
    """A step failed before anything that serves was touched."""

    exit_code = 5
    hint = "mend that and run the same command again: what was done already is not repeated"


class GateFailed(StepFailed):
    """A check found something, or could not show that it examined anything."""


class CommandFailed(StepFailed):
    """A program ended with an exit code other than 0."""

    def __init__(
        self, program: str, exit_code: int, *, log: str = "", tail: str = "", hint: str = ""
    ) -> None:
        where = f"; the whole output is in {log}" if log else ""
        super().__init__(f"{program} ended with exit code {exit_code}{where}", detail=tail, hint=hint)
        self.program = program
        self.program_exit_code = exit_code


class DeadlineExceeded(StepFailed):
    """A program was ended because it ran for longer than its deadline."""


class DiskFull(Precondition):
    """The disk has no room for what has to be written."""

    hint = (
        "free some space (`invoke local.status` says what Longshore keeps), then run the same command again"
    )


class RolledBack(Failure):
    """The new release failed; the last good one serves again, and that was verified."""

    exit_code = 6


class StateUnknown(Failure):
    """What serves now is unknown or partly changed: a person must look."""

    exit_code = 7


class Interrupted(Failure):
    """A signal asked us to stop. Children are gone and our own lock is released."""

    def __init__(self, signal_number: int, during: str = "") -> None:
        name = {1: "SIGHUP", 2: "Ctrl-C", 15: "SIGTERM"}.get(signal_number, f"signal {signal_number}")
        super().__init__(
            f"interrupted by {name}" + (f" during {during}" if during else ""),
            hint="run the same command again: finished work is kept",
        )
        self.exit_code = 128 + signal_number


class Stopped(Failure):
    """Ended early because another step failed; never the failure that a person is shown."""
