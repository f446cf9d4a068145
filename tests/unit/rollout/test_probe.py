"""The probe keeps its rate whatever comes back, retries nothing, and tells one failure from another."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore import AGENT
from longshore.rollout import bake, verify
from longshore.rollout.probe import Probe, percentile
from longshore.rollout.verdict import Outcome, Verdict
from longshore.settings.model import Environment
from longshore.settings.rollout import Budgets
from tests.unit.api_server import BLOCKED, Site

GOOD = Verdict(outcome=Outcome.GOOD, sentence="3 of 3 replicas ready", serving=("app-1",))


class Counted(Probe):
    """Stops after COUNT requests, however long a busy machine takes for them; `took` is when it stopped."""

    def __init__(self, url: str, authority: Path | None, count: int) -> None:
        self.count, self.took = count, 0.0
        super().__init__(url, str(authority) if authority else None, rate=40)

    @property
    def stopping(self) -> bool:
        self.took = time.monotonic() - self.began
        return self.sent >= self.count

    @stopping.setter
    def stopping(self, value: bool) -> None:
        assert not value


def run(url: str, authority: Path | None, count: int = 20) -> Counted:
    probe = Counted(url, authority, count)
    asyncio.run(probe.run())
    return probe


def test_good_answers_are_counted_and_timed(site: Site) -> None:
    site.answers = [{}]
    probe = run(site.url, site.authority)
    result = probe.result()
    assert (result["failed"], result["sent"], result["answered"]) == (0, 20, 20)
    assert 19 / 40 <= probe.took < 19 / 40 + result["late"] + 1, "it keeps its rate"
    assert 0 < result["p50"] <= result["p99"]


def test_every_failed_request_counts_once(site: Site) -> None:
    site.answers = [200, 503, 200, 502, 404, 200]
    result = run(site.url, site.authority).result()
    assert result["classes"] == {"5xx": 2, "4xx": 1}
    assert sorted(example["detail"] for example in result["examples"]) == ["404", "502", "503"]


def test_a_certificate_that_nobody_vouches_for_is_a_failure_of_its_own(site: Site) -> None:
    site.answers = [{}]
    result = run(site.url, None, count=8).result()
    assert result["classes"] == {"tls": result["sent"]}


def test_nobody_listening_is_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    probe = run(f"http://127.0.0.1:{port}", None, count=8)
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
        probe = run(f"http://127.0.0.1:{server.getsockname()[1]}", None, count=8)
        ended.set()
        thread.join()
    assert probe.result()["classes"] == {"reset": probe.sent}


@contextlib.contextmanager
def answering(answer: bytes, *, closes: bool = False) -> Iterator[tuple[str, list[object]]]:
    """Serve ANSWER to every request, byte for byte; yield the URL and a list that gets each connection's peer."""
    connections: list[object] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            connections.append(self.client_address)
            while line := self.rfile.readline():
                if line == b"\r\n":
                    self.wfile.write(answer)
                    if closes:
                        return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment] # the probe hangs up at its end
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", connections
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nok\r\n0\r\nX-Sum: 1\r\nX-Y: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-LENGTH:2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX-Long: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
    ids=["trailers", "case of the encoding", "1xx, case of a header", "folded header", "no body"],
)
def test_an_answer_that_leaves_the_connection_open_is_followed_by_another(answer: bytes) -> None:
    with answering(answer) as (url, connections):
        probe = run(url, None, count=40)
    assert probe.result()["failed"] == 0
    assert len(connections) < probe.sent == probe.answered


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok until it closes",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
    ids=["announced", "no length", "HTTP/1.0"],
)
def test_an_answer_that_closes_the_connection_is_good(answer: bytes) -> None:
    with answering(answer, closes=True) as (url, connections):
        probe = run(url, None, count=12)
    assert probe.result()["failed"] == 0
    assert len(connections) == probe.sent == probe.answered


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok", "reset"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", "other"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "other"),
    ],
    ids=["half a body", "half a chunk", "only a 1xx", "no chunk", "not HTTP"],
)
def test_half_an_answer_is_a_reset_and_nonsense_is_not(answer: bytes, kind: str) -> None:
    with answering(answer, closes=True) as (url, _):
        probe = run(url, None, count=8)
    assert probe.result()["classes"] == {kind: probe.sent}


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
    site.environment = Environment(name="local", bake=seconds, budgets=Budgets(**budgets))
    return bake.bake(site, watching, GOOD, lambda *said: None)  # type: ignore[arg-type]


def test_a_release_that_stays_well_is_good(site: Site) -> None:
    site.answers = [{}]
    assert baked(site, Watching()) == GOOD


def test_requests_that_fail_during_the_bake_are_held_against_the_release(site: Site) -> None:
    site.answers = [503]
    verdict = baked(site, Watching(), seconds=5)
    assert verdict.outcome is Outcome.BAD
    assert re.search(r"(\d+) of \1 requests failed \(5xx: 503\)", verdict.sentence)


def test_one_crash_during_the_bake_is_tolerated_two_are_not(site: Site) -> None:
    site.answers = [{}]
    assert baked(site, Watching(0, 1)).outcome is Outcome.GOOD
    verdict = baked(site, Watching(0, 1, 3), seconds=30)
    assert verdict.outcome is Outcome.BAD
    assert "its containers crashed 3 times; pod app-1: container app exited with 1" in verdict.sentence


def test_a_release_that_is_not_ready_any_more_at_the_end_is_bad(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bake, "SETTLE", 0.2)
    site.answers = [{}]
    unready = Verdict(outcome=Outcome.WAITING, sentence="0 of 3 replicas ready")
    verdict = baked(site, Watching(verdict=unready), seconds=0.2)
    assert verdict.sentence == "it was ready and is no longer: 0 of 3 replicas ready"


def test_a_release_without_any_ready_replica_is_bad_at_once(site: Site) -> None:
    site.answers = [{}]
    gone = Verdict(outcome=Outcome.WAITING, sentence="0 of 3 replicas ready; pod app-1: probe failed", wanted=3)
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


def test_what_the_web_acl_blocks_is_no_failure_and_ends_the_requests(site: Site) -> None:
    site.answers = [{}] * 5 + [BLOCKED]
    probe = Probe(site.url, str(site.authority), rate=40)

    async def a_while() -> None:
        running = asyncio.create_task(probe.run())
        await asyncio.sleep(1)
        sent = probe.sent
        await asyncio.sleep(0.3)
        assert probe.sent == sent
        probe.stopping = True
        await running

    asyncio.run(a_while())
    result = probe.result()
    assert result["failed"] == 0
    assert result["blocked"] == result["answered"] - 5
    assert set(site.agents) == {AGENT}


def test_a_release_alone_stays_below_the_rate_that_the_web_acl_allows() -> None:
    """A bake without end, the answers that meet every replica, smoke tests and what people ask, in any five minutes."""
    text = (Path(__file__).parents[3] / "terraform" / "variables.tf").read_text()
    limit = int(re.findall(r'variable "rate_limit" \{.*?default += (\d+)', text, re.DOTALL)[0])
    assert limit > bake.RATE * 300 + verify.MEET / verify.MEET_PAUSE + 250
