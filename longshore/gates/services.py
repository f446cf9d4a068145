"""What runs beside a suite of tests for as long as that does: `[gates.tests.SUITE.services.NAME]`."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from longshore.errors import GateFailed, ToolMissing, ending
from longshore.gates.theirs import within
from longshore.process.beside import Beside
from longshore.process.command import query
from longshore.process.runner import Runner
from longshore.settings.gates import Service, Suite

POLL = 0.05  # seconds between two looks whether it listens


@contextlib.contextmanager
def beside(name: str, suite: Suite, runner: Runner, sources: Path) -> Iterator[dict[str, str]]:
    """Have the services of SUITE, called NAME, run in the folder SOURCES; yield the variables that tell where they are.

    Raises ToolMissing where one is not installed, GateFailed where it does not listen or ends before its tests do.
    """
    with contextlib.ExitStack() as stack:
        variables, running = dict[str, str](), dict[str, Beside]()
        for each, service in suite.services.items():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="longshore-"))
            port = _free_port()

            def filled(text: str, port: int = port, folder: str = folder) -> str:
                return text.replace("{port}", str(port)).replace("{folder}", folder)

            command = within(query(*map(filled, service.run), takes=tuple(suite.env)), sources)
            log = runner.log and runner.log.with_name(f"test-{name}-{each}.log")
            running[each] = stack.enter_context(Beside(runner, command, log))
            _wait(f"{each} of [gates.tests.{name}]", service, running[each], port, runner)
            variables |= {variable: filled(text) for variable, text in service.env.items()}
        yield variables
        for each, program in running.items():
            if not program.running:
                raise _ended(f"{each} of [gates.tests.{name}]", program, "while the tests ran")


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _wait(what: str, service: Service, beside: Beside, port: int, runner: Runner) -> None:
    """Return once BESIDE listens on PORT."""
    end = time.monotonic() + service.deadline
    while not _listens(port):
        if not beside.running:
            raise _ended(what, beside, "before it listened")
        if time.monotonic() > end:
            hint = "`{port}` in `run` stands for the port, on 127.0.0.1"
            raise GateFailed(f"the service {what} does not listen on its port after {service.deadline:g} s", hint=hint)
        runner.cancellation.wait(POLL)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _ended(what: str, beside: Beside, when: str) -> GateFailed | ToolMissing:
    if isinstance(beside.failure, ToolMissing):
        name, _, suite = what.partition(" of ")
        hint = f"`run` under {suite.removesuffix(']')}.services.{name}] names it: install it, in a pipeline's jobs too"
        return ToolMissing(beside.failure.sentence, hint=hint)
    if beside.result is None:
        return GateFailed(f"the service {what} ended {when}: {beside.failure}")
    code, log = beside.result.exit_code, beside.result.log
    hint = f"its output is in {log}" if log else ""
    return GateFailed(f"the service {what} {ending(code)} {when}", detail=beside.result.tail, hint=hint)
