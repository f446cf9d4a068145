"""When a canary counts as worse: clear differences, told from chance."""

from __future__ import annotations

import random

import pytest

from longshore.rollout import compare
from longshore.rollout.compare import Stat, read, said, total, worse
from tests.unit.rollout.exporter import exported

MARGIN = 0.01


def answered(count: int, *, failed: int = 0, seconds: float = 0.004, spread: float = 0.3, seed: int = 1) -> Stat:
    """COUNT requests of which some FAILED; each took SECONDS, more or less."""
    chance, stat = random.Random(seed), Stat()
    for number in range(count):
        took = max(0.0, chance.gauss(seconds, seconds * spread))
        stat = stat.plus(Stat.of(took, failed=number < failed))
    return stat


def verdict(new: Stat, old: Stat) -> str:
    return worse({"GET /": new}, {"GET /": old}, MARGIN)


@pytest.mark.parametrize(("count", "failed"), [(120, 6), (200, 10), (2000, 100)])
def test_five_percent_of_errors_are_worse_than_none(count: int, failed: int) -> None:
    sentence = verdict(answered(count, failed=failed), answered(3 * count))
    assert (
        sentence == f"5.0% of its {count} requests failed, and 0.0% of the same requests at the old pods ({3 * count})"
    )


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (answered(49, failed=49), answered(500)),  # too few
        (answered(500, failed=500), answered(49)),
        (answered(60, failed=2), answered(180)),
        (answered(1000, failed=9), answered(3000)),  # within the budget
        (answered(100, failed=5), answered(300, failed=15)),  # old ones fail as often
        (answered(100, failed=6), answered(300, failed=9)),  # may be chance
        (answered(100), answered(300, failed=100)),
    ],
)
def test_few_requests_chance_and_what_old_pods_do_as_well_are_not_worse(new: Stat, old: Stat) -> None:
    assert verdict(new, old) == ""


def test_twice_as_slow_is_worse() -> None:
    sentence = verdict(answered(100, seconds=0.2, spread=0.1), answered(300, seconds=0.1, spread=0.1))
    assert sentence.startswith("its 100 requests took 199 ms on average, and the same requests 101 ms at the old pods")
    assert sentence.endswith(" (2.0 times as long)")


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (answered(100, seconds=0.010), answered(300, seconds=0.004)),  # 6 ms, which nobody notices
        (answered(100, seconds=0.13), answered(300, seconds=0.1)),
        (answered(100, seconds=0.04).plus(Stat.of(30.0, failed=False)), answered(300, seconds=0.04)),  # one outlier
        (answered(100, seconds=0.1), answered(300, seconds=0.2)),
        (answered(49, seconds=0.4), answered(300, seconds=0.1)),
    ],
)
def test_small_differences_and_outliers_are_not_slower(new: Stat, old: Stat) -> None:
    assert verdict(new, old) == ""


def test_routes_are_compared_each_with_itself() -> None:
    fast, slow = answered(100, seconds=0.01), answered(100, seconds=1.0)
    few = answered(5, seconds=1.0)
    assert worse({"GET /": few, "GET /report": slow}, {"GET /": fast, "GET /report": few}, MARGIN) == "", "another mix"
    assert worse({"GET /new": slow}, {"GET /": fast}, MARGIN) == "", "no old pod knows it"
    assert worse({"GET /": answered(100, seconds=0.05)}, {"GET /": fast, "GET /report": slow}, MARGIN) != ""


def test_one_client_that_keeps_asking_the_canary_for_what_always_fails_is_no_fault_of_it() -> None:
    new = {"GET /": answered(200), "GET /gone": answered(100, failed=100)}
    old = {"GET /": answered(900), "GET /gone": answered(5, failed=5)}
    assert worse(new, old, MARGIN) == ""
    broken = new | {"GET /": answered(200, failed=20)}
    assert worse(broken, old, MARGIN).startswith("40.0% of its 300 requests failed, and 33.3% of the same requests")


def test_a_route_that_only_the_canary_has_may_not_fail_either() -> None:
    assert worse({"GET /": answered(200), "GET /new": answered(20, failed=20)}, {"GET /": answered(900)}, MARGIN)


def test_equal_pods_are_told_apart_less_than_once_in_two_hundred_canaries() -> None:
    chance, alarms = random.Random(7), 0
    for _ in range(200):
        new, old = Stat(), Stat()
        for _ in range(30):  # looks
            for _ in range(20):
                new = new.plus(Stat.of(chance.expovariate(20), failed=chance.random() < 0.02))
            for _ in range(60):
                old = old.plus(Stat.of(chance.expovariate(20), failed=chance.random() < 0.02))
            if verdict(new, old):
                alarms += 1
                break
    assert alarms <= 1


def test_metrics_tell_requests_errors_and_seconds_by_route() -> None:
    text = exported({("/", "200"): [0.1] * 10, ("/", "500"): [0.3], ("/", "404"): [0.1], ("/livez", "200"): [0.0] * 99})
    found = read(text, {"/livez", "/metrics"})
    assert found is not None
    assert set(found) == {"GET /"}
    stat = found["GET /"]
    assert (stat.requests, stat.failed, stat.timed) == (12, 1, 12)
    assert stat.seconds == pytest.approx(1.4)
    assert 0 < stat.variance < 0.02


def test_buckets_tell_twice_as_slow_even_within_one() -> None:
    old, new = (read(exported({("/", "200"): [seconds] * 100})) for seconds in (0.11, 0.22))
    assert old is not None
    assert new is not None
    assert "(2.0 times as long)" in worse(new, old, MARGIN)


@pytest.mark.parametrize("counter", ["flask_http_request", "http_server_requests", "django_http_responses", "requests"])
def test_names_that_other_exporters_give_are_known(counter: str) -> None:
    found = read(exported({("/", "500"): [0.1]}, counter=counter, histogram="flask_http_request_duration_seconds"))
    assert found is not None
    assert (total(found).failed, total(found).timed) == (1, 1)


@pytest.mark.parametrize("text", ["", "<html>", "up 1\n", 'jobs_total{status="500"} 3\n', "http_requests_total{} x\n"])
def test_what_counts_no_requests_is_none(text: str) -> None:
    assert read(text) is None


def test_calls_that_the_service_makes_itself_are_no_requests() -> None:
    text = exported({("/", "200"): [9.0]}, counter="http_client_requests", histogram="http_client_duration_seconds")
    assert read(text) is None


def test_figures_are_said_of_both() -> None:
    text = said({"GET /": answered(60, spread=0)}, {"GET /": answered(180, failed=9, spread=0)})
    expected = "its 60 requests, 0.0% failed, 4 ms on average, old pods 180 requests, 5.0% failed, 4 ms on average"
    assert text == expected
    assert said({}, {"GET /": answered(180)}).endswith("; too few to compare")


def test_a_sum_without_the_others_is_a_difference() -> None:
    one, two = {"a": Stat(5, 1)}, {"a": Stat(3, 1), "b": Stat(1)}
    assert compare.together([one, two], -1) == {"a": Stat(2, 0), "b": Stat(-1)}
