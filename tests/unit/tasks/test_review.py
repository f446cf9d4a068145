"""Which review environments end, where one of them cannot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from longshore.errors import Failure, StepFailed
from longshore.graph.scheduler import StepFailure
from longshore.infra.outputs import Slot
from longshore.rollout import review as ending
from longshore.rollout.slots import Board, Claim
from longshore.tasks import review

SLOTS = [
    Slot(host_name=f"review-{n}.shop", url="", namespace=f"shop-review-{n}", node_port=30080 + n) for n in range(1, 4)
]
CLAIMS = [(slot, Claim(label=slot.namespace, branch=f"branch-{slot.namespace[-1]}", until="")) for slot in SLOTS]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what ends each slot as the tasks do, where the end of each namespace in PROBLEMS fails; DATA is told."""

    def end(problems: dict[str, Failure], data: dict[str, Any] | None = None, **options: bool) -> list[str]:
        def one(site: str, *_: object) -> bool:
            if site in problems:
                raise problems[site]
            return True

        def work(world: Any, name: str, title: str, work: Callable[..., str], guard: object) -> None:
            try:
                work(lambda *_: None)
            except Failure as problem:
                raise StepFailure(name, problem) from None

        def world(_session: Any, _settings: Any, slot: Slot) -> Any:
            return SimpleNamespace(
                site=lambda _: slot.namespace,
                outputs=lambda: None,
                claim=lambda _: contextlib.nullcontext(),
                guard=None,
            )

        monkeypatch.setattr(ending, "end", one)
        monkeypatch.setattr(review, "_world", world)
        board = cast("Board", SimpleNamespace(claims=lambda: CLAIMS))
        session = cast("Any", SimpleNamespace(work=work, data=({} if data is None else data).update))
        return review._end(session, cast("Any", None), board, lambda _: True, **options)

    return end


def test_the_others_end_where_one_cannot_and_the_command_fails(ends: Callable[..., list[str]]) -> None:
    told: dict[str, Any] = {}
    problem = StepFailed("a pod does not end")
    with pytest.raises(StepFailure, match="a pod does not end") as refused:
        ends({"shop-review-1": problem, "shop-review-3": StepFailed("nor does this")}, told)
    assert refused.value.failure is problem
    assert told == {"stopped": ["branch-2"]}


@pytest.mark.parametrize(
    ("branch", "word"), [("feature/two", "feature/two"), ("x;reboot", "'x;reboot'"), ("$(id)", "'$(id)'")]
)
def test_the_name_of_a_branch_is_one_word_of_the_command_that_ends_it(branch: str, word: str) -> None:
    """Git takes names that a shell would run, and whoever reads a job's log may not have pushed the branch."""
    assert review._ends_it(branch) == f"`invoke review.stop --name {word}` ends it"


def test_for_a_new_one_it_is_enough_that_some_ended(ends: Callable[..., list[str]]) -> None:
    assert ends({"shop-review-1": StepFailed("a pod does not end")}, whole=False) == ["branch-2", "branch-3"]


@pytest.mark.parametrize(
    ("name", "request_of_the_job", "left", "said"),
    [
        ("", "7", ["7"], "work stays, for request 8"),
        ("", "", [""], "work has ended"),
        ("work", "7", [""], "work has ended"),
    ],
)
def test_the_job_of_a_request_leaves_it_to_the_branchs_others_and_a_person_ends_it(
    monkeypatch: pytest.MonkeyPatch, name: str, request_of_the_job: str, left: list[str], said: str
) -> None:
    claim, told, lines = Claim(label="work", branch="work", until="", requests=("8",)), [], []
    board = SimpleNamespace(leave=lambda _, request: told.append(request), of=lambda _: [(SLOTS[0], claim)])
    session = SimpleNamespace(
        settings=SimpleNamespace(job=SimpleNamespace(branch="work", request=request_of_the_job)),
        console=SimpleNamespace(line=lines.append),
        data=lambda **_: None,
    )
    monkeypatch.setattr(review, "Session", lambda **_: contextlib.nullcontext(session))
    monkeypatch.setattr(review, "_base", lambda _: (None, None))
    monkeypatch.setattr(review, "_board", lambda *_: board)
    monkeypatch.setattr(review, "_end", lambda _session, _settings, _board, ends: ["work"] if ends(claim) else [])
    review.stop.body(None, name=name)
    assert (told, lines) == (left, [said])
