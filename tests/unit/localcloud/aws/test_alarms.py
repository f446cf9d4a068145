"""The tables and sentences of CloudWatch's user guide, as facts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localcloud.aws.alarms import Rule, computed

# In the tables 0 is within the threshold, X beyond it, and - is missing; the newest is on the right.
VALUES = {"0": 0.0, "X": 2.0, "-": None}
BEFORE = "the state before"


def state(points: str, *, m: int, missing: str, n: int = 3) -> str:
    rule = Rule(comparison="GreaterThanThreshold", threshold=1, n=n, m=m, missing=missing)
    return rule.state([VALUES[point] for point in points.split()], BEFORE)


@pytest.mark.parametrize(
    ("points", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", "OK", "OK", "OK", "OK"),
        ("0 - - - -", "OK", "OK", "OK", "OK"),
        ("- - - - -", "INSUFFICIENT_DATA", BEFORE, "ALARM", "OK"),
        ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - X - -", "ALARM", BEFORE, "ALARM", "OK"),
    ],
)
def test_three_of_three_with_missing_data(
    points: str, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    assert state(points, m=3, missing="missing") == missing
    assert state(points, m=3, missing="ignore") == ignore
    assert state(points, m=3, missing="breaching") == breaching
    assert state(points, m=3, missing="notBreaching") == not_breaching


@pytest.mark.parametrize(
    ("points", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 - X - -", "OK", "OK", "ALARM", "OK"),
        ("- - - - 0", "OK", "OK", "ALARM", "OK"),
        ("- - - X -", "ALARM", BEFORE, "ALARM", "OK"),
    ],
)
def test_two_of_three_with_missing_data(
    points: str, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    assert state(points, m=2, missing="missing") == missing
    assert state(points, m=2, missing="ignore") == ignore
    assert state(points, m=2, missing="breaching") == breaching
    assert state(points, m=2, missing="notBreaching") == not_breaching


@pytest.mark.parametrize("points", ["- - - - X", "- - - X -"])
def test_a_lone_bad_datapoint_is_no_alarm_before_it_is_m_periods_old(points: str) -> None:
    assert state(points, m=3, missing="missing") == "INSUFFICIENT_DATA"
    assert state(points, m=3, missing="ignore") == BEFORE


def test_an_alarm_is_ok_again_when_too_few_of_its_periods_are_bad() -> None:
    assert state("0 0 X X X", m=3, missing="missing") == "ALARM"
    assert state("0 X X X 0", m=3, missing="missing") == "OK"
    assert state("X X 0 X 0", m=2, missing="missing") == "OK"


def test_of_the_evaluation_range_only_the_last_n_count_where_none_is_missing() -> None:
    assert state("X X 0 0 0", m=1, missing="missing") == "OK"


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanThreshold", "OK", "OK", "ALARM"),
        ("GreaterThanOrEqualToThreshold", "OK", "ALARM", "ALARM"),
        ("LessThanThreshold", "ALARM", "OK", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM", "ALARM", "OK"),
    ],
)
def test_each_comparison(comparison: str, below: str, equal: str, above: str) -> None:
    rule = Rule(comparison=comparison, threshold=1, n=1, m=1)
    assert [rule.state([value], "") for value in (0.5, 1.0, 1.5)] == [below, equal, above]


def test_the_reason_has_the_datapoints_and_the_rule() -> None:
    rule = Rule(comparison="LessThanThreshold", threshold=1, n=2, m=2, missing="breaching")
    assert rule.reason([1.0, None, 0.25]) == (
        "Datapoints, oldest first: 1, none, 0.25 (alarm: 2 of 2 LessThanThreshold 1, missing data is breaching)"
    )


RATE = "100 * (elb + target) / requests"


def test_the_rate_of_errors_is_computed() -> None:
    assert computed(RATE, {"elb": 3.0, "target": 1.0, "requests": 200.0}) == 2.0
    assert computed("-elb - 1", {"elb": 3.0}) == -4.0


def test_where_a_value_is_missing_there_is_no_datapoint() -> None:
    assert computed(RATE, {"elb": None, "target": 1.0, "requests": 200.0}) is None
    assert computed(RATE, {"elb": None, "target": None, "requests": None}) is None


def test_fill_puts_a_number_or_another_metric_where_a_value_is_missing() -> None:
    assert computed("FILL(elb, 0) + target", {"elb": None, "target": 1.0}) == 1.0
    assert computed("FILL(elb, 7) + target", {"elb": 2.0, "target": 1.0}) == 3.0
    assert computed("fill(elb, target)", {"elb": None, "target": 4.0}) == 4.0
    assert computed("FILL(elb, target)", {"elb": None, "target": None}) is None


def test_a_division_by_zero_is_no_datapoint() -> None:
    assert computed(RATE, {"elb": 3.0, "target": 1.0, "requests": 0.0}) is None


@pytest.fixture
def deployed() -> str:
    """The expression of the alarm that Terraform creates."""
    text = (Path(__file__).parents[4] / "terraform" / "monitoring.tf").read_text()
    (expression,) = re.findall(r'^ +expression += "(.*)"$', text, re.MULTILINE)
    return str(expression)


def test_the_alarm_of_terraform_counts_errors_of_one_kind_alone(deployed: str) -> None:
    assert computed(deployed, {"elb": None, "target": 10.0, "requests": 200.0}) == 5.0
    assert computed(deployed, {"elb": None, "target": None, "requests": 200.0}) == 0.0
    assert computed(deployed, {"elb": None, "target": None, "requests": None}) is None


def test_the_alarm_of_terraform_rings_when_no_request_finds_a_target(deployed: str) -> None:
    """RequestCount leaves out requests for which no target could be chosen."""
    assert computed(deployed, {"elb": 30.0, "target": None, "requests": None}) == 100.0


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').getpid()",
        "elb.real",
        "elb ** 9",
        "other",
        "'text'",
        "[elb][0]",
        "elb if 1 else 2",
        "FILL(elb, REPEAT)",
        "RATE(elb)",
        "FILL(elb)",
    ],
)
def test_what_is_beyond_arithmetic_is_refused_and_never_run(expression: str) -> None:
    with pytest.raises(ValueError, match="cannot compute"):
        computed(expression, {"elb": 1.0})
