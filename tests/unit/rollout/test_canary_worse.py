"""What a canary is compared with, and which differences take it back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from longshore.rollout import canary, meter
from tests.unit.rollout.canaries import Shop
from tests.unit.rollout.exporter import exported
from tests.unit.rollout.things import changed, ended


@pytest.fixture
def shop(canary_shop: Shop) -> Shop:
    return canary_shop


def test_errors_that_it_answers_with_are_told_from_the_old_pods(shop: Shop) -> None:
    shop.kubernetes.behaves["two"].fails = 5
    failed = shop.worse()
    assert re.search(
        r"[12]\d\.\d% of its \d+ requests failed, and 0\.0% of the same requests at the old pods", failed.cause
    )
    assert (shop.site.report / "evidence" / "release-2" / "objects.json").exists()


def test_what_old_pods_do_as_well_is_no_fault_of_the_canary(shop: Shop) -> None:
    for behaviour in shop.kubernetes.behaves.values():
        behaviour.fails, behaviour.seconds = 5, 0.01
    assert "% failed" in shop.release("two").canary


def test_one_that_takes_twice_as_long_is_taken_back(shop: Shop) -> None:
    shop.set(bake=6.0)
    shop.kubernetes.behaves["one"].seconds, shop.kubernetes.behaves["two"].seconds = 0.03, 0.07
    assert "times as long)" in shop.worse().cause


def counting(fails: int = 0, seconds: float = 0.1) -> Callable[[], str]:
    """What a pod says that answered sixty more requests whenever it is asked, beside many health checks."""
    counted: dict[tuple[str, str], list[float]] = {("/", "200"): [], ("/", "500"): [], ("/livez", "500"): [0.0] * 500}

    def metrics() -> str:
        counted["/", "200"] += [seconds] * (60 - fails)
        counted["/", "500"] += [seconds] * fails
        return exported(counted)

    return metrics


def test_a_pods_own_metrics_count_what_users_got(shop: Shop) -> None:
    shop.kubernetes.behaves["one"].metrics = counting()
    shop.kubernetes.behaves["two"].metrics = counting(fails=3)
    assert "5.0% of its " in shop.worse().cause


def test_metrics_tell_that_users_wait_longer(shop: Shop) -> None:
    shop.kubernetes.behaves["one"].metrics = counting()
    shop.kubernetes.behaves["two"].metrics = counting(seconds=0.2)
    assert "requests took 200 ms on average, and the same requests 100 ms" in shop.worse().cause


def test_metrics_of_one_side_alone_are_no_comparison(shop: Shop) -> None:
    shop.kubernetes.behaves["two"].metrics = counting(fails=3)
    assert "0.0% failed" in shop.release("two").canary


def test_a_counter_that_starts_again_is_added_and_nothing_is_negative(shop: Shop) -> None:
    read = meter.Meter(shop.site, meter.Api(shop.site.cluster, shop.kubectl), 0, ())
    for count in (10, 30, 5):
        read._take("app-1", {"GET /": canary.compare.Stat(requests=count)})
    assert read.tally(counted=True)["GET /"].requests == 25


def test_restarts_beyond_those_of_old_pods_are_worse(shop: Shop) -> None:
    shop.set(bake=20.0)
    state = {"restartCount": 1, "lastState": ended(4)}

    def restart() -> None:
        pod = shop.kubernetes.get("Pod", "app-canary-2-1")
        shop.kubernetes.put(changed(pod, ready=True, **state))

    thread = shop.while_it_serves(restart)
    cause = shop.worse().cause
    thread.join()
    assert "it was restarted 1 times, 0 times the 4 old pods; " in cause
    assert "container app exited with code 4" in cause


def test_one_that_is_not_ready_for_long_is_worse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary.bake, "SETTLE", 0.5)
    shop.set(bake=20.0)
    thread = shop.while_it_serves(
        lambda: shop.kubernetes.put(changed(shop.kubernetes.get("Pod", "app-canary-2-1"), ready=False))
    )
    assert "0 of 1 replicas ready" in shop.worse().cause
    thread.join()
