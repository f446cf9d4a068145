"""Follows a rollout until it has a verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, DeadlineExceeded
from longshore.rollout.verdict import Outcome, Verdict, judge
from longshore.runner import Runner

PAUSE = 0.25  # seconds between two looks; a look itself takes about 0.1
UNREACHABLE = 30.0  # seconds without any answer from the API server before the state counts as unknown

Say = Callable[..., None]


class Unreachable(Exception):
    """The API server has not answered for too long; what serves is not known."""


def look(cluster: Cluster, runner: Runner, names: tuple[str, ...]) -> list[Verdict]:
    """Return the verdict on each Deployment of NAMES as it stands now."""
    found = json.loads(runner.run(kubectl.get(cluster, "deployments,replicasets,pods")).stdout)["items"]
    by_kind: dict[str, list[dict[str, Any]]] = {"Deployment": [], "ReplicaSet": [], "Pod": []}
    for thing in found:
        by_kind[thing["kind"]].append(thing)
    deployments = {thing["metadata"]["name"]: thing for thing in by_kind["Deployment"]}
    missing = Verdict(outcome=Outcome.BAD, sentence="the Deployment is gone: somebody deleted it")
    return [
        judge(deployments[name], by_kind["ReplicaSet"], by_kind["Pod"]) if name in deployments else missing
        for name in names
    ]


def follow(cluster: Cluster, runner: Runner, names: tuple[str, ...], *, deadline: float, say: Say) -> Verdict:
    """Look until every Deployment of NAMES is good or one is bad; a rollout that is neither after DEADLINE seconds is bad.

    Raises Unreachable when the API server stops answering.
    """
    end = time.monotonic() + deadline
    answered = time.monotonic()
    while True:
        try:
            verdicts = look(cluster, runner, names)
            answered = time.monotonic()
        except (CommandFailed, DeadlineExceeded, ValueError) as problem:
            if time.monotonic() - answered > UNREACHABLE:
                raise Unreachable(str(problem)) from None
            say("the API server does not answer; asking again")
            runner.cancellation.wait(1.0)
            continue
        bad = next((verdict for verdict in verdicts if verdict.outcome is Outcome.BAD), None)
        if bad:
            return bad
        waiting = [verdict for verdict in verdicts if verdict.outcome is Outcome.WAITING]
        if not waiting:
            return verdicts[0]
        if time.monotonic() > end:
            return Verdict(
                outcome=Outcome.BAD,
                sentence=f"not ready after {deadline:g} s: {waiting[0].sentence}",
                pods=waiting[0].pods,
            )
        say(waiting[0].sentence, sum(v.ready for v in verdicts), sum(v.wanted for v in verdicts))
        runner.cancellation.wait(PAUSE)
