"""What a run does before it is asked for, since it will be: it is idle while other programs run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from importlib import import_module
from pathlib import Path

Around = Callable[[str], AbstractContextManager[Path | None]]


def do(*works: Callable[[], object]) -> None:
    """Do WORKS in a thread, one after the other; what is wrong with one, whoever needs it will hear."""

    def tolerant() -> None:
        with suppress(Exception):
            for work in works:
                work()

    threading.Thread(target=tolerant, daemon=True).start()


def around(step: Around, *, rolls_out: bool) -> Around:
    """Return what is around each step of a run as STEP is; the first steps' programs leave time to load the rest."""

    def loading(name: str) -> AbstractContextManager[Path | None]:
        do(*((_rollout,) if rolls_out else ()), _report)
        return step(name)

    return loading


def _rollout() -> None:
    import_module("longshore.rollout.release")


def _report() -> None:
    from longshore.report import page

    page.templates()
    import_module("longshore.tasks.reported")
