"""An apply that fails: how it is told, and what counts as applied afterwards."""

from __future__ import annotations

import errno
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from longshore.errors import BadInput, DiskFull, LockHeld, Precondition, StateUnknown
from longshore.files import Memory
from tests.unit.infra.given import DONE, LOST, Terraform, error, infra, progress, store


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("code", "lines", "words"),
    [
        (1, [error("Error: no such zone")], "Terraform stopped after 0 of 1 changes"),
        (1, [LOST], "the lock on local's state was lost while Terraform made 0 of 1 changes"),
        (0, [LOST, DONE], "the lock on local's state was lost while Terraform made 0 of 1 changes"),
        (1, [error("Error: saving state"), LOST], "Terraform stopped after 0 of 1 changes"),
    ],
)
def test_a_failed_apply_says_how_it_failed_and_nothing_counts_as_applied(
    tmp_path: Path, code: int, lines: list[str], words: str
) -> None:
    here = infra(tmp_path, Terraform())
    store(here)
    here.bring_up(progress)
    assert here.remembered()
    here = replace(here, runner=Terraform(plan=(2, ""), apply=(code, "\n".join(lines))))
    with pytest.raises(StateUnknown, match=words):
        here.bring_up(progress)
    assert not here.remembered()
    assert not here.saved_plan.file.exists()


@pytest.mark.usefixtures("account")
def test_a_full_disk_costs_the_record_of_an_apply_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, problem = infra(tmp_path, Terraform()), OSError(errno.ENOSPC, "No space left on device")
    store(here)
    put = Memory.put

    def fail(self: Memory, name: str, **record: object) -> None:
        if name == "infra":
            raise problem
        put(self, name, **record)

    monkeypatch.setattr(Memory, "put", fail)
    assert "; the disk is full" in here.bring_up(progress).note
    problem = OSError(errno.EACCES, "Permission denied")
    with pytest.raises(PermissionError):
        here.bring_up(progress)


@pytest.mark.parametrize(
    ("text", "kind"), [("write /x: no space\n  left on device", DiskFull), ("no bucket", Precondition)]
)
@pytest.mark.usefixtures("bucket")
def test_a_full_disk_is_told_from_other_reasons_why_terraform_does_not_start(
    tmp_path: Path, text: str, kind: type[Precondition]
) -> None:
    with pytest.raises(Precondition) as failure:
        infra(tmp_path, Terraform(init=(1, text))).terraform.init()
    assert type(failure.value) is kind


def test_a_missing_variables_file_is_bad_input(tmp_path: Path) -> None:
    here = infra(tmp_path)
    there = replace(here, environment=msgspec.structs.replace(here.environment, variables_file="no.tfvars"))
    with pytest.raises(BadInput, match=r"no\.tfvars does not exist"):
        there.terraform.init()


def test_a_locked_state_names_its_holder(tmp_path: Path) -> None:
    text = """Error: Error acquiring the state lock
      Lock Info:
        ID:        0d5a1f7c
        Operation: OperationTypeApply
        Who:       somebody@laptop
        Created:   2026-11-25 10:00:00.123 +0000 UTC
    """
    here = infra(tmp_path, Terraform(plan=(1, text)))
    with pytest.raises(LockHeld) as held:
        here.terraform.plan(here.saved_plan.file)
    assert held.value.sentence == (
        "the state of local is locked by somebody@laptop since 2026-11-25 10:00:00 (terraform apply)"
    )
    assert "infra.unlock 0d5a1f7c -e local" in held.value.hint
    assert not here.saved_plan.file.exists()
