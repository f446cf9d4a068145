"""The probe keeps its rate whatever comes back, repeats nothing, and tells one failure from another."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from pathlib import Path

import pytest

from longshore.rollout import bake
from longshore.rollout.probe import Probe, percentile
from longshore.rollout.verdict import Outcome, Verdict
from longshore.settings_rollout import Budgets
from tests.unit.rollout.conftest import Site

GOOD = Verdict(outcome=Outcome.GOOD, sentence="3 of 3 replicas ready", serving=("app-1",))


def run(url: str, authority: Path | None, seconds: float = 0.5, rate: float = 40) -> Probe:
    probe = Probe(url, str(authority) if authority else None, rate)
    timer = threading.Timer(seconds, lambda: setattr(probe, "stopping", True))
    timer.start()
    asyncio.run(probe.run())
    timer.join()
    return probe


def test_good_answers_are_counted_and_timed(site: Site) -> None:
    site.answers = [{}]
    result = run(site.url, site.authority).result()
    assert result["failed"] == 0
    assert 15 <= result["sent"] == result["answered"] <= 21
    assert 0 < result["p50"] <= result["p99"] < 1000


def test_every_failed_request_counts_once(site: Site) -> None:
    site.answers = [200, 503, 200, 502, 404, 200]
    result = run(site.url, site.authority).result()
    assert result["classes"] == {"5xx": 2, "4xx": 1}
    assert sorted(example["detail"] for example in result["examples"]) == ["404", "502", "503"]


def test_a_certificate_that_nobody_vouches_for_is_a_failure_of_its_own(site: Site) -> None:
    site.answers = [{}]
    result = run(site.url, None, seconds=0.2).result()
    assert result["classes"] == {"tls": result["sent"]}


def test_nobody_listening_is_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    probe = run(f"http://127.0.0.1:{port}", None, seconds=0.2)
    assert probe.result()["classes"] == {"refused": probe.sent}


def test_a_connection_that_is_cut_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        ended = threading.Event()

        def cut() -> None:
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                connection.recv(100)
                connection.close()

        thread = threading.Thread(target=cut)
        thread.start()
        probe = run(f"http://127.0.0.1:{server.getsockname()[1]}", None, seconds=0.2)
        ended.set()
        thread.join()
    assert probe.result()["classes"] == {"reset": probe.sent}


def test_percentiles_are_values_that_were_seen() -> None:
    ordered = [n / 1000 for n in range(1, 101)]
    assert [percentile(ordered, share) for share in (50, 95, 99)] == [50.0, 95.0, 99.0]
    assert percentile([], 50) is None


class Watching:
    """Stands in for a watcher: what it sees is decided here."""

    def __init__(self, *crashes: int, verdict: Verdict = GOOD) -> None:
        self.seen, self.verdict = list(crashes) or [0], verdict

    def crashes(self) -> int:
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def last_crash(self) -> str:
        return "pod app-1: container app exited with 1" if self.seen[0] else ""

    def look(self) -> Verdict:
        return self.verdict

    def pause(self) -> None:
        time.sleep(0.02)


def baked(site: Site, watching: Watching, seconds: float = 0.5, **budgets: float) -> Verdict:
    return bake.bake(
        watching, GOOD, site.url, site.authority, seconds=seconds, budgets=Budgets(**budgets), say=lambda *said: None  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_release_that_stays_well_is_good(site: Site) -> None:
    site.answers = [{}]
    assert baked(site, Watching()) == GOOD


def test_requests_that_fail_during_the_bake_are_held_against_the_release(site: Site) -> None:
    site.answers = [503]
    verdict = baked(site, Watching(), seconds=5)
    assert verdict.outcome is Outcome.BAD
    assert "1 of 1 requests failed (5xx: 503)" in verdict.sentence


def test_one_crash_during_the_bake_is_tolerated_two_are_not(site: Site) -> None:
    site.answers = [{}]
    assert baked(site, Watching(0, 1)).outcome is Outcome.GOOD
    verdict = baked(site, Watching(0, 1, 3))
    assert verdict.outcome is Outcome.BAD
    assert "its containers crashed 3 times; pod app-1: container app exited with 1" in verdict.sentence


def test_a_release_that_is_not_ready_any_more_at_the_end_is_bad(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bake, "SETTLE", 0.2)
    site.answers = [{}]
    unready = Verdict(outcome=Outcome.WAITING, sentence="0 of 3 replicas ready")
    verdict = baked(site, Watching(verdict=unready), seconds=0.2)
    assert verdict.sentence == "it was ready and is no longer: 0 of 3 replicas ready"


def test_a_release_without_any_ready_replica_is_bad_at_once(site: Site) -> None:
    site.answers = [{}]
    gone = Verdict(
        outcome=Outcome.WAITING, sentence="0 of 3 replicas ready; pod app-1: probe failed", wanted=3
    )
    began = time.monotonic()
    verdict = baked(site, Watching(verdict=gone), seconds=30)
    assert verdict.sentence.endswith(
        "none of its replicas is ready any more; 0 of 3 replicas ready; pod app-1: probe failed"
    )
    assert time.monotonic() - began < 20


def test_slow_answers_are_held_against_the_release(site: Site) -> None:
    site.answers = [{}]
    verdict = baked(site, Watching(), latency=0.0001)
    assert verdict.outcome is Outcome.BAD
    assert "became slow" in verdict.sentence
