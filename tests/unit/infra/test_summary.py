"""What a person reads of a plan."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from longshore.errors import Precondition
from longshore.infra.summary import approved, changes, counts, drift, warnings


def resource(address: str, *actions: str, **change: Any) -> dict[str, Any]:
    return {"address": address, "type": address.partition(".")[0], "change": {"actions": list(actions), **change}}


PLAN = {
    "resource_changes": [
        resource("aws_vpc.this", "no-op"),
        resource("data.aws_region.here", "read"),
        resource("aws_nat_gateway.a", "create"),
        resource("aws_sns_topic.old", "delete"),
        resource(
            "aws_cloudwatch_log_group.app", "update", before={"days": 30, "tags": {}}, after={"days": 14, "tags": {}}
        ),
        resource(
            "aws_eks_cluster.this",
            "delete",
            "create",
            before={"name": "a"},
            after={"name": "b"},
            replace_paths=[["name"]],
        ),
        resource(
            "aws_db.this",
            "update",
            before={"password": "hunter2", "arn": "x"},  # pragma: allowlist secret
            after={"password": "hunter3"},  # pragma: allowlist secret
            before_sensitive={"password": True},
            after_sensitive={},
            after_unknown={"arn": True},
        ),
    ]
}


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


def test_irreplaceable_resources_are_destroyed_only_by_their_typed_address() -> None:
    with pytest.raises(Precondition, match="destroys aws_eks_cluster"):
        approved(changes(PLAN), ["aws_vpc.this"])
    approved(changes(PLAN), ["aws_eks_cluster.this"])


def test_the_images_of_branches_are_built_again_and_the_projects_are_not() -> None:
    names = ("aws_ecr_repository.review[0]", "aws_ecr_repository.app")
    review, app = (changes({"resource_changes": [resource(name, "delete", before={})]}) for name in names)
    approved(review, [])
    with pytest.raises(Precondition, match="cannot be restored"):
        approved(app, [])


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
    assert [(change.address, change.details) for change in drifted] == [
        ("aws_a.changed", ("days: 7 → 30",)),
        ("aws_a.gone", ()),
    ]
    assert [change.address for change in pending] == ["aws_a.wanted"]


def test_a_change_says_what_it_costs_a_month() -> None:
    prices = {"aws_nat_gateway.a": 37.96, "aws_sns_topic.old": -0.4}
    shown = {change.address: change.line for change in changes(PLAN, prices)}
    assert shown["aws_nat_gateway.a"] == "  + aws_nat_gateway.a  (+38 USD a month)"
    assert shown["aws_sns_topic.old"] == "  - aws_sns_topic.old  (-0.40 USD a month)"


def test_a_failed_check_is_a_warning_and_a_broken_one_too() -> None:
    check = {"address": {"kind": "check", "to_display": "check.node_image"}}
    said = [{"problems": [{"message": "AWS recommends another image."}]}]
    plan = {"checks": [{**check, "status": "fail", "instances": said}, {**check, "status": "pass", "instances": []}]}
    assert warnings(plan, dt.date(2026, 11, 29)) == ["AWS recommends another image."]
    assert warnings({"checks": [{**check, "status": "error", "instances": []}]}, dt.date(2026, 11, 29)) == [
        "check.node_image could not be made"
    ]


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-12-26", ""),
        ("2026-12-27", "ends on 2027-03-27, in 90 days"),
        ("2027-03-28", "ended on 2027-03-27; AWS then upgrades"),
    ],
)
def test_the_end_of_standard_support_is_announced_ninety_days_before(day: str, words: str) -> None:
    plan = {"resource_changes": [resource("aws_eks_cluster.this", "no-op", after={"version": "1.35"})]}
    said = warnings(plan, dt.date.fromisoformat(day))
    assert bool(said) is bool(words)
    assert all(words in sentence for sentence in said)


def test_a_version_that_the_table_does_not_know_is_said() -> None:
    plan = {"resource_changes": [resource("aws_eks_cluster.this", "create", after={"version": "1.49"})]}
    assert "does not know Kubernetes 1.49" in warnings(plan, dt.date(2026, 11, 29))[0]
