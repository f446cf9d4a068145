"""What a person reads of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.errors import Precondition
from longshore.steps.plan_summary import approved, changes, counts, drift


def resource(address: str, *actions: str, **change: Any) -> dict[str, Any]:
    return {
        "address": address,
        "type": address.partition(".")[0],
        "change": {"actions": list(actions), **change},
    }


PLAN = {
    "resource_changes": [
        resource("aws_vpc.this", "no-op"),
        resource("data.aws_region.here", "read"),
        resource("aws_nat_gateway.a", "create"),
        resource("aws_sns_topic.old", "delete"),
        resource("aws_cloudwatch_log_group.app", "update", before={"days": 30, "tags": {}}, after={"days": 14, "tags": {}}),
        resource("aws_eks_cluster.this", "delete", "create", before={"name": "a"}, after={"name": "b"}, replace_paths=[["name"]]),
        resource(
            "aws_db.this", "update", before={"password": "hunter2", "arn": "x"}, after={"password": "hunter3"},  # pragma: allowlist secret
            before_sensitive={"password": True}, after_sensitive={}, after_unknown={"arn": True},
        ),
    ]
}  # fmt: skip


def lines() -> dict[str, str]:
    return {change.address: change.line for change in changes(PLAN)}


def test_what_does_nothing_is_not_listed_and_the_worst_comes_first() -> None:
    assert [change.action for change in changes(PLAN)] == ["replace", "delete", "update", "update", "create"]


def test_a_replacement_says_what_forces_it() -> None:
    assert lines()[
        "aws_eks_cluster.this"
    ] == '  ± aws_eks_cluster.this  replaced because of name  name: "a" → "b"'.replace(
        "  replaced", "  (costs by the hour)  replaced"
    )


def test_an_update_names_the_attributes_with_old_and_new_values() -> None:
    assert lines()["aws_cloudwatch_log_group.app"] == "  ~ aws_cloudwatch_log_group.app  days: 30 → 14"


def test_what_costs_by_the_hour_is_marked() -> None:
    assert lines()["aws_nat_gateway.a"] == "  + aws_nat_gateway.a  (costs by the hour)"


def test_a_sensitive_value_is_never_shown() -> None:
    line = lines()["aws_db.this"]
    assert "hunter" not in line
    assert "password: (sensitive) → (sensitive)" in line
    assert "arn = known after apply" in line


def test_a_replacement_counts_as_both_in_gitlabs_report() -> None:
    assert counts(changes(PLAN)) == {"create": 2, "update": 2, "delete": 2}


def test_precious_things_are_destroyed_only_by_their_typed_address() -> None:
    with pytest.raises(Precondition, match="destroys aws_eks_cluster"):
        approved(changes(PLAN), ["aws_vpc.this"])
    approved(changes(PLAN), ["aws_eks_cluster.this"])


def test_drift_is_what_an_apply_would_set_back_and_the_rest_is_pending() -> None:
    shown = {
        "resource_drift": [
            resource("aws_a.changed", "update", before={"days": 7, "seen": 1}, after={"days": 30, "seen": 2}),
            resource("aws_a.gone", "delete", before={"days": 7}),
            resource("aws_a.noise", "update", before={"names": None}, after={"names": []}),
        ],
        "resource_changes": [
            resource("aws_a.changed", "update", before={"days": 30, "seen": 2}, after={"days": 7, "seen": 2}),
            resource("aws_a.gone", "create", after={"days": 7}),
            resource("aws_a.noise", "no-op"),
            resource("aws_a.wanted", "update", before={"days": 7}, after={"days": 14}),
        ],
    }
    drifted, pending = drift(shown)
    assert [(one.address, one.details) for one in drifted] == [
        ("aws_a.changed", ("days: 7 → 30",)),
        ("aws_a.gone", ()),
    ]
    assert [one.address for one in pending] == ["aws_a.wanted"]
