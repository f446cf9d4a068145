"""Plan, apply and what is remembered of it, with a Terraform that answers from a table and an AWS in this process."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from longshore import aws
from longshore.errors import Interrupted, Precondition, StateUnknown
from longshore.process.command import Command
from longshore.process.runner import Result
from tests.unit.infra.given import DONE, ENTRIES, Terraform, infra, progress, snapshot, store
from tests.unit.infra.outputs import VALUES


def test_the_fingerprint_is_of_sources_variables_and_account(tmp_path: Path) -> None:
    here = infra(tmp_path)
    changed = {
        name: replace(here, sources=lambda: snapshot(here.snapshot.checkout, **{name: "100644 f"})).fingerprint()  # noqa: B023
        for name in ENTRIES
    }
    same = {name for name, fingerprint in changed.items() if fingerprint == here.fingerprint()}
    assert same == {"terraform/README.md", "terraform/environments/staging.tfvars"}
    for change in ({"account": "999999999999"}, {"region": "sa-east-1"}):
        other = msgspec.structs.replace(here.environment, **change)
        assert replace(here, environment=other).fingerprint() != here.fingerprint()


@pytest.mark.usefixtures("account")
def test_an_apply_is_remembered_until_the_sources_change(tmp_path: Path) -> None:
    runner = Terraform(plan=(2, ""), apply=(0, DONE))
    here = infra(tmp_path, runner)
    assert here.remembered() is None
    applied = here.bring_up(progress)
    assert (applied.note, applied.outputs.node_port) == ("1 resources changed", 30080)
    assert runner.names == ["init", "plan", "show", "apply"]
    assert not here.saved_plan.file.exists()
    last = here.remembered()
    assert last is not None
    assert (last.outputs, last.fingerprint) == (applied.outputs, applied.fingerprint)
    edited = replace(here, sources=lambda: snapshot(here.snapshot.checkout, **{"terraform/vpc.tf": "100644 f"}))
    assert edited.remembered() is None
    assert edited.outputs() == applied.outputs
    assert runner.names == ["init", "plan", "show", "apply"], "outputs that are known are not asked for"


@pytest.mark.usefixtures("account")
def test_without_changes_nothing_is_applied_and_the_outputs_are_read(tmp_path: Path) -> None:
    runner = Terraform()
    here = infra(tmp_path, runner)
    store(here)
    applied = here.bring_up(progress)
    assert (applied.note, applied.outputs.values) == ("no changes", VALUES)
    assert runner.names == ["init", "plan"]


@pytest.mark.usefixtures("account")
def test_what_is_applied_is_read_without_terraform_whatever_is_pending(tmp_path: Path) -> None:
    store(elsewhere := infra(tmp_path, Terraform(plan=(2, ""), apply=(0, DONE))))
    elsewhere.bring_up(progress)
    elsewhere.memory.forget("infra")
    runner = Terraform(plan=(2, ""))
    here = replace(infra(tmp_path, runner, approve="manual"))
    assert (here.read().note, here.read().outputs.values) == ("as applied from aaaaaaaaaaaa", VALUES)
    assert here.remembered(), "the sources are those that were applied"
    edited = replace(here, sources=lambda: snapshot(here.snapshot.checkout, **{"terraform/vpc.tf": "100644 f"}))
    assert edited.read().note.startswith("terraform/ differs from what was applied from aaaaaaaaaaaa: ")
    assert edited.read().outputs.values == VALUES
    assert runner.names == []


@pytest.mark.usefixtures("account")
def test_an_apply_that_nobody_noted_is_read_all_the_same(tmp_path: Path) -> None:
    here = infra(tmp_path, approve="manual")
    store(here)
    assert here.read().note == "outputs read; from which commit they are is not known"


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("approve", "hint"), [("auto", "`invoke deploy -e local`"), ("manual", "`invoke infra.bootstrap -e local` once, ")]
)
def test_before_the_first_apply_the_way_to_it_is_said(tmp_path: Path, approve: str, hint: str) -> None:
    here = infra(tmp_path, approve=approve)
    for made in (False, True):
        if made:
            here.bucket.ensure()
        with pytest.raises(Precondition, match="environment local has no infrastructure yet") as refused:
            here.read()
        assert refused.value.hint.startswith(hint)


@pytest.mark.usefixtures("account")
def test_the_reviewed_plan_is_applied_and_reported(tmp_path: Path) -> None:
    here = infra(tmp_path, Terraform(plan=(2, ""), apply=(0, DONE)))
    here.bucket.ensure()
    assert [change.address for change in here.review(progress).changes] == ["aws_eip.a"]
    report = json.loads((here.settings.work / "report" / "terraform.json").read_text())
    assert report == {"create": 1, "update": 0, "delete": 0}
    assert here.saved_plan.file.stat().st_mode & 0o777 == 0o600
    assert here.apply(progress).note == "1 resources changed"
    with pytest.raises(Precondition, match="there is no saved plan"):
        here.apply(progress)


@pytest.mark.usefixtures("account")
def test_a_plan_for_another_state_is_stale(tmp_path: Path) -> None:
    here = infra(tmp_path, Terraform(plan=(2, "")))
    here.bucket.ensure()
    here.review(progress)
    state = json.dumps({"lineage": "x", "serial": 3})
    aws.client(here.environment, "s3").put_object(Bucket=here.bucket.name, Key=here.bucket.key, Body=state)
    with pytest.raises(Precondition, match=r"the state is a different one; .*serial 0, now 3"):
        here.apply(progress)


def test_what_is_remembered_needs_no_checkout(tmp_path: Path) -> None:
    def checkout() -> Path:
        raise AssertionError("checked out")

    here = replace(infra(tmp_path), sources=lambda: snapshot(checkout))
    assert here.remembered() is None
    assert here.terraform.folder == here.folder


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("record", ['{"fingerprint": "x"}', '{"fingerprint": 1, "outputs": {}}', "[]", "no json"])
def test_a_record_of_another_form_is_as_good_as_none(tmp_path: Path, record: str) -> None:
    runner = Terraform()
    here = infra(tmp_path, runner)
    store(here)
    here.folder.mkdir(parents=True)
    (here.folder / "infra.json").write_text(record)
    assert here.remembered() is None
    assert here.outputs().values == VALUES
    assert runner.names == []
    assert here.remembered() is None, "outputs were read, which says nothing about the sources"


@pytest.mark.usefixtures("bucket")
def test_outputs_are_printed_even_if_they_are_not_those_that_are_needed(tmp_path: Path) -> None:
    here = infra(tmp_path)
    store(here, {"a": {"value": 1, "type": "number"}, "b": {"value": "hidden", "type": "string", "sensitive": True}})
    assert here.values() == {"a": 1}
    with pytest.raises(StateUnknown):
        here.outputs()


@pytest.mark.usefixtures("bucket")
def test_a_comparison_with_the_account_saves_no_plan(tmp_path: Path) -> None:
    here = infra(tmp_path, Terraform(plan=(2, "")))
    drifted, pending = here.drifted(progress)
    assert (drifted, [change.address for change in pending]) == ([], ["aws_eip.a"])
    assert not here.saved_plan.file.exists()


@pytest.mark.usefixtures("account")
def test_what_a_provider_leaves_when_it_is_ended_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ended(Terraform):
        def run(self, command: Command, **options: Any) -> Result:
            if command.argv[2] != "fmt":
                (Path(str(command.env.get("TMPDIR", tmp_path))) / "plugin1").touch()
            if command.argv[2] == "apply":
                raise Interrupted(signal.SIGHUP)
            return super().run(command, **options)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    here = infra(tmp_path, Ended(plan=(2, "")))
    with pytest.raises(Interrupted):
        here.bring_up(progress)
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "plugin1").exists()
