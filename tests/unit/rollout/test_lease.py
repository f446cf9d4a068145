"""The lease against a server that refuses outdated writes, as Kubernetes does."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any, cast

import pytest

from longshore.errors import BadInput, LockHeld
from longshore.kubernetes.api import Api, Refused
from longshore.rollout import lease
from longshore.rollout.lease import Holder, Lease, LeaseLost, unlock

Thing = dict[str, Any]


class Server:
    """Holds one Lease; an update must name the version that it changes."""

    namespace = "shop"

    def __init__(self) -> None:
        self.kept: Thing | None = None
        self.version = 0
        self.silent = False
        self.lock = threading.Lock()

    def get(self, path: str, timeout: float = 1) -> Thing:
        if self.kept is None:
            raise Refused(404, "not found")
        return copy.deepcopy(self.kept)

    def send(self, method: str, path: str, thing: Thing, timeout: float = 1) -> Thing:
        if self.silent:
            raise TimeoutError("timed out")
        with self.lock:
            if method == "POST" and self.kept is not None:
                raise Refused(409, "exists")
            if method == "PUT" and self.kept is None:
                raise Refused(404, "not found")
            if method == "PUT" and thing["metadata"].get("resourceVersion") != str(self.version):
                raise Refused(409, "the object has been modified")
            self.version += 1
            self.kept = copy.deepcopy(thing)
            self.kept["metadata"]["resourceVersion"] = str(self.version)
            return copy.deepcopy(self.kept)

    @property
    def holder(self) -> str:
        return str(self.kept["spec"]["holderIdentity"]) if self.kept else ""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(lease, "BEAT", 0.05)
    monkeypatch.setattr(lease, "DURATION", 1)
    return Server()


def take(server: Server, checkout: str = "a", wait: float = 0, said: list[str] | None = None) -> Lease:
    return Lease(
        cast("Api", server),
        Holder.new("somebody", checkout, "https://jobs/1"),
        wait=wait,
        pause=lambda seconds: time.sleep(0.02),
        say=(said if said is not None else []).append,
    )


def until(condition: Any) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_lease_is_held_inside_and_free_afterwards(server: Server) -> None:
    with take(server) as held:
        held.check()
        assert server.holder.startswith("somebody@")
    assert server.holder == ""


def test_a_second_release_is_told_who_holds_it(server: Server) -> None:
    with take(server):
        with pytest.raises(LockHeld) as refused, take(server, "b"):
            pass
        assert server.holder in refused.value.sentence
        assert "https://jobs/1" in refused.value.sentence
        assert f"--holder {server.holder}" in refused.value.hint


def test_a_live_holder_is_never_overtaken_however_long_one_waits(server: Server) -> None:
    with take(server) as held:
        with pytest.raises(LockHeld), take(server, "b", wait=1.5):
            pass
        held.check()


def test_a_release_that_waits_gets_the_lease_once_it_is_free(server: Server) -> None:
    first, said = take(server), list[str]()
    first.__enter__()
    threading.Timer(0.2, first.__exit__).start()
    with take(server, "b", wait=5, said=said) as second:
        second.check()
    assert "waiting for another release to finish" in said[0]


def test_a_dead_holder_is_overtaken_after_its_time_whatever_the_clocks_say(server: Server) -> None:
    died = take(server)
    died._acquire()
    assert server.kept
    server.kept["spec"]["renewTime"] = "2099-01-01T00:00:00Z"
    began = time.monotonic()
    with take(server, "b", wait=5):
        assert time.monotonic() - began > 1
    assert server.kept["spec"]["leaseTransitions"] == 2


def test_a_dead_run_of_this_checkout_is_overtaken_at_once(server: Server) -> None:
    take(server)._acquire()
    died, began = server.holder, time.monotonic()
    with take(server) as held:
        assert time.monotonic() - began < lease.DURATION
        assert server.holder == held._holder.id != died


def test_a_run_whose_lease_was_taken_changes_nothing_more(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "DURATION", 60)  # else a busy machine ends it by its time
    with take(server) as held:
        until(lambda: server.version > 2)
        unlock(cast("Api", server), server.holder)
        with take(server, "b"):
            until(lambda: held._lost)
            with pytest.raises(LeaseLost, match=r"is now held by somebody@"):
                held.check()
            first = server.holder
    assert first


def test_a_run_that_cannot_renew_stops_before_others_may_start(server: Server) -> None:
    with take(server) as held:
        server.silent = True
        until(lambda: time.monotonic() - held._renewed > 0.96)
        with pytest.raises(LeaseLost, match="could not be renewed"):
            held.check()


def test_only_the_exact_holder_is_unlocked(server: Server) -> None:
    with take(server):
        with pytest.raises(BadInput, match="not by 'somebody@"):
            unlock(cast("Api", server), server.holder[:-1])
        assert server.holder
    with pytest.raises(BadInput, match="nobody"):
        unlock(cast("Api", server), "")
