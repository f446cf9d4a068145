"""The plan that was reviewed is the plan that is applied."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from cryptography.fernet import Fernet

from longshore.errors import BadInput, Precondition
from longshore.files import Memory
from longshore.infra.saved_plan import CHANGED, Facts, SavedPlan

FACTS = Facts(
    environment="staging",
    account="111111111111",
    commit="a" * 40,
    sources="s",
    variables="v",
    providers="p",
    programs="b",
    overrides="",
    lineage="l",
    serial=7,
)
OTHER = {"commit": ("b" * 40, "at the commit aaaaaaaaaaaa, this is bbbbbbbbbbbb"), "serial": (8, "serial 7, now 8")}


def saved(folder: Path, key: str = "") -> SavedPlan:
    plan = SavedPlan(folder / "plan.tfplan", Memory(folder), key)
    plan.file.write_bytes(b"a plan")
    plan.bind(FACTS)
    return plan


def test_a_plan_made_from_the_same_facts_may_be_applied(tmp_path: Path) -> None:
    saved(tmp_path).check(FACTS)


@pytest.mark.parametrize("name", FACTS.__struct_fields__)
def test_each_fact_that_has_changed_is_named(tmp_path: Path, name: str) -> None:
    value, words = OTHER.get(name, ("other", CHANGED[name].partition("{")[0]))
    with pytest.raises(Precondition, match="the saved plan is stale") as refused:
        saved(tmp_path).check(msgspec.structs.replace(FACTS, **{name: value}))
    assert words in refused.value.sentence
    assert ";" not in refused.value.sentence


def test_a_plan_file_that_was_replaced_is_refused(tmp_path: Path) -> None:
    plan = saved(tmp_path)
    plan.file.write_bytes(b"another plan")
    with pytest.raises(Precondition, match="the plan file is not the one that was saved"):
        plan.check(FACTS)


def test_a_plan_is_refused_after_a_day(tmp_path: Path) -> None:
    plan = saved(tmp_path)
    plan.memory.put("plan", **plan.memory.get("plan") | {"until": 1.0})
    with pytest.raises(Precondition, match="more than a day old"):
        plan.check(FACTS)


@pytest.mark.parametrize("lost", ["plan.tfplan", "plan.json"])
def test_a_plan_without_file_or_record_is_none(tmp_path: Path, lost: str) -> None:
    plan = saved(tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(Precondition, match="there is no saved plan") as refused:
        plan.check(FACTS)
    assert "invoke infra.plan -e staging" in refused.value.hint


def test_a_record_of_another_version_is_as_good_as_none(tmp_path: Path) -> None:
    plan = saved(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps({"fingerprint": "x"}))
    with pytest.raises(Precondition, match="there is no saved plan"):
        plan.check(FACTS)


def test_a_sealed_plan_opens_with_its_key_alone_and_is_still_the_one_that_was_saved(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    plan = saved(tmp_path, key)
    assert b"a plan" not in plan.file.read_bytes()
    plan.check(FACTS)
    with plan.opened() as clear:
        assert clear.read_bytes() == b"a plan"
        assert clear.stat().st_mode & 0o777 == 0o600
    assert not clear.exists()
    for other, failure in ((Fernet.generate_key().decode(), Precondition), ("", BadInput), ("short", BadInput)):
        with pytest.raises(failure), SavedPlan(plan.file, plan.memory, other).opened():
            pass


def test_without_a_key_a_plan_stays_as_terraform_saved_it(tmp_path: Path) -> None:
    plan = saved(tmp_path)
    with plan.opened() as clear:
        assert clear == plan.file
    assert plan.file.read_bytes() == b"a plan"


def test_a_plan_in_clear_is_refused_where_a_key_is_set(tmp_path: Path) -> None:
    saved(tmp_path)  # as somebody would who has no key
    keyed = SavedPlan(tmp_path / "plan.tfplan", Memory(tmp_path), Fernet.generate_key().decode())
    with pytest.raises(Precondition, match="is not encrypted") as refused, keyed.opened():
        pass
    assert "invoke infra.plan" in refused.value.hint
    with pytest.raises(Precondition, match="the record of the saved plan"):
        keyed.check(FACTS)


@pytest.mark.parametrize("change", [{"until": 9e9}, {"serial": 8}, {"mac": ""}, {"mac": "0" * 64}, {"plan": "0" * 64}])
def test_a_record_that_somebody_changed_is_refused_where_a_key_is_set(
    tmp_path: Path, change: dict[str, object]
) -> None:
    plan = saved(tmp_path, Fernet.generate_key().decode())
    plan.check(FACTS)
    plan.memory.put("plan", **plan.memory.get("plan") | change)
    with pytest.raises(Precondition, match="the record of the saved plan was changed"):
        plan.check(FACTS)


def test_a_plan_that_another_key_sealed_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, Fernet.generate_key().decode())
    other = SavedPlan(tmp_path / "plan.tfplan", Memory(tmp_path), Fernet.generate_key().decode())
    with pytest.raises(Precondition, match="the record of the saved plan was changed, or made with another key"):
        other.check(FACTS)
