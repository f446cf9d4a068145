"""What every task is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from invoke.tasks import Task

from longshore import tasks
from longshore.errors import BadInput
from longshore.tasks.options import number


@pytest.mark.parametrize("text", ["abc", "", "-1", "nan", "inf", "2.5"])
def test_what_is_no_number_in_range_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match=r"--lines is '.*', not a whole number from 1 to 9"):
        number("lines", text, int, 1, 9)


def test_a_number_is_what_it_says() -> None:
    assert number("lines", "7", int, 1, 9) == 7
    assert number("probe", "0.5", float, 0, 100) == 0.5


def test_h_alone_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # where no compiled modules are kept
    top = tasks.collection()
    assert [name for name in top.task_names if "h" in switches(top[name])] == []


def switches(task: Task[Any]) -> set[str]:
    """The options of TASK that take no value."""
    return {name for argument in task.get_arguments() if argument.kind is bool for name in argument.names}
