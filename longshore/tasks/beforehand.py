"""What a run does before it is asked for, since it will be: it is idle while other programs run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from pathlib import Path

Around = Callable[[str], AbstractContextManager[Path | None]]


def do(work: Callable[[], object]) -> None:
    """Do WORK in a thread; what is wrong with it, whoever needs it will hear."""

    def tolerant() -> None:
        with suppress(Exception):
            work()

    # It has locks taken and released around each fork: imported while another thread forks, one that nobody took.
    import_module("concurrent.futures.thread")
    threading.Thread(target=tolerant, daemon=True).start()


def around(step: Around) -> Around:
    """Return what is around each step of a run as STEP is; while the first one waits, the report is loaded."""

    def loading(name: str) -> AbstractContextManager[Path | None]:
        do(_report)
        return step(name)

    return loading


def _report() -> None:
    from longshore.report import page

    page.templates()
    import_module("longshore.tasks.reported")
