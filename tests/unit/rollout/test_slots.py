"""Who has which slot, against a server that refuses outdated writes, as Kubernetes does."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest

from longshore.errors import LockHeld, Precondition
from longshore.infra.outputs import Slot
from longshore.kubernetes.api import Api, Refused
from longshore.rollout import slots
from longshore.rollout.slots import Board, Claim
from longshore.settings.environments import EnvironmentTable
from longshore.settings.model import Environment
from longshore.settings.pipeline import Review

Thing = dict[str, Any]
SLOTS = tuple(
    Slot(
        host_name=f"review-{n}.shop", url=f"https://review-{n}.shop", namespace=f"shop-review-{n}", node_port=30080 + n
    )
    for n in (1, 2)
)
LATER, EARLIER = "2026-11-30T00:00:00+00:00", "2026-11-28T00:00:00+00:00"


class Server:
    """Holds the Leases of several namespaces. `meanwhile` is what somebody else does before the next write."""

    def __init__(self) -> None:
        self.leases: dict[str, Thing] = {}
        self.version = 0
        self.refuses = 0
        self.meanwhile: Callable[[], object] | None = None

    def several(self, paths: Iterable[str]) -> list[Thing | None]:
        if self.refuses:
            raise Refused(self.refuses, "no")
        return [copy.deepcopy(self.leases.get(path)) for path in paths]

    def send(self, method: str, path: str, body: Thing) -> Thing:
        if self.meanwhile:
            other, self.meanwhile = self.meanwhile, None
            other()
        where = f"{path}/{slots.NAME}" if method == "POST" else path
        standing = self.leases.get(where)
        if method == "POST" and standing:
            raise Refused(409, "exists")
        if method != "POST" and not standing:
            raise Refused(404, "not found")
        wanted = body["metadata"].get("resourceVersion") if method == "PUT" else None
        wanted = body["preconditions"]["resourceVersion"] if method == "DELETE" else wanted
        if method != "POST" and standing and wanted != standing["metadata"]["resourceVersion"]:
            raise Refused(409, "modified")
        if method == "DELETE":
            del self.leases[where]
            return {}
        self.version += 1
        self.leases[where] = copy.deepcopy(body)
        self.leases[where]["metadata"]["resourceVersion"] = str(self.version)
        return self.leases[where]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def board(server: Server) -> Board:
    return Board(cast("Api", server), SLOTS)


def claim(branch: str, until: str = LATER, *requests: str) -> Claim:
    label = slots.label(branch)
    return Claim(label=label, branch=branch, until=until, actor="ann", job="https://jobs/1", requests=requests)


@pytest.mark.parametrize(
    "branch", ["work", "Feature/Two", "feature-two", "feature_two", "日本", "x" * 200, "-", "a--b"]
)
def test_a_branch_is_known_by_a_dns_label(branch: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", slots.label(branch))


def test_branches_that_look_alike_are_told_apart() -> None:
    alike = ["feature-two", "feature/two", "Feature-two", "feature_two", "x" * 200, "x" * 201]
    assert len({slots.label(branch) for branch in alike}) == len(alike)
    assert slots.label("feature-two") == "feature-two"


def test_a_branch_keeps_its_slot_and_another_one_gets_the_next(board: Board) -> None:
    assert board.take(claim("work", EARLIER)) == board.take(claim("work")) == SLOTS[0]
    assert board.take(claim("other")) == SLOTS[1]
    found = board.claims()
    assert [held.branch for _, held in found if held] == ["work", "other"]
    assert [held.until for _, held in found if held] == [LATER, LATER], "each release of it gives it more time"


def test_with_all_taken_it_is_said_who_has_them(board: Board) -> None:
    for branch in ("work", "other"):
        board.take(claim(branch))
    with pytest.raises(LockHeld, match=r"work until 2026-11-30T00:00; other until") as refused:
        board.take(claim("third"))
    assert "review.stop" in refused.value.hint


def test_of_two_at_once_the_server_lets_one_have_it(server: Server, board: Board) -> None:
    server.meanwhile = lambda: Board(cast("Api", server), SLOTS).take(claim("faster"))
    assert board.take(claim("work")) == SLOTS[1]
    assert [held.branch for _, held in board.claims() if held] == ["faster", "work"]


def test_one_that_ended_while_it_was_deployed_anew_is_taken_again(server: Server, board: Board) -> None:
    board.take(claim("work"))
    server.meanwhile = server.leases.clear
    assert board.take(claim("work")) == SLOTS[0]


def test_a_slot_is_freed_by_who_saw_it_last(server: Server, board: Board) -> None:
    board.take(claim("work"))
    ((slot, held),) = board.of("work")
    board.take(claim("work"))
    assert not board.free(slot, held), "it was deployed anew"
    ((slot, held),) = board.of("work")
    assert board.free(slot, held)
    assert board.free(slot, held), "somebody else was faster"
    assert board.of("work") == []


def test_of_two_requests_of_a_branch_the_last_one_to_end_ends_what_it_has(board: Board) -> None:
    for request in ("8", "7", "8"):
        board.take(claim("work", LATER, request))
    ((_, held),) = board.of("work")
    assert held.requests == ("7", "8")
    board.leave("work", "7")
    ((_, held),) = board.of("work")
    assert (held.requests, held.branch, held.until, held.actor) == (("8",), "work", LATER, "ann")
    assert not held.ends("work", "7")
    board.leave("work", "8")
    ((_, held),) = board.of("work")
    assert held.ends("work", "8")
    assert not held.ends("other", "8")


def test_by_hand_it_ends_whatever_requests_there_are(board: Board) -> None:
    board.take(claim("work", LATER, "7"))
    ((_, held),) = board.of("work")
    assert held.ends("work", "")
    board.take(claim("work"))
    assert board.of("work")[0][1].requests == ("7",), "nor does a deployment by hand forget them"


def test_a_request_leaves_what_is_deployed_anew_meanwhile(server: Server, board: Board) -> None:
    board.take(claim("work", LATER, "7"))
    server.meanwhile = lambda: Board(cast("Api", server), SLOTS).take(claim("work", LATER, "9"))
    board.leave("work", "7")
    assert board.of("work")[0][1].requests == ("9",)
    board.leave("nobody", "7")


@pytest.mark.parametrize("status", [403, 404])
def test_slots_that_nobody_prepared_are_named_with_the_command(server: Server, board: Board, status: int) -> None:
    server.refuses = status
    with pytest.raises(Precondition, match="not prepared") as refused:
        board.take(claim("work"))
    assert "review.prepare" in refused.value.hint


def test_a_namespace_that_is_missing_is_none_that_somebody_took(server: Server, board: Board) -> None:
    def gone() -> None:
        raise Refused(404, 'namespaces "shop-review-1" not found')

    server.meanwhile = gone
    with pytest.raises(Precondition, match="not prepared"):
        board.take(claim("work"))


def test_a_server_that_is_busy_is_no_free_slot(server: Server, board: Board) -> None:
    server.refuses = 500
    with pytest.raises(Precondition, match="does not say"):
        board.claims()


def test_in_a_slot_nothing_of_the_environment_is_protected_and_none_of_its_secrets_are_there() -> None:
    table = EnvironmentTable(protected=True, secrets={"KEY": "shop/staging"}, prove=30, canary="10%", account="1" * 12)
    facts = {name: getattr(table, name) for name in table.__struct_fields__ if name not in ("namespace", "overlay")}
    base = Environment(**facts, name="staging", namespace="shop", overlay="staging")
    made = slots.environment(base, Review(environment="staging"), SLOTS[1])
    assert (made.namespace, made.overlay, made.account) == ("shop-review-2", "staging", "1" * 12)
    assert (made.protected, made.secrets, made.prove, made.canary_steps, made.bake) == (False, {}, 0, (), 0)
    assert slots.environment(base, Review(environment="staging", overlay="small"), SLOTS[0]).overlay == "small"
