"""A runner that does what kubectl, git and pytest would, without a process."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from longshore.commands import checks
from longshore.errors import CommandFailed
from longshore.process.command import Command, Kind, Secret
from longshore.process.runner import Result, Runner
from tests.unit.rollout.kubernetes import ADDED, Kubernetes
from tests.unit.rollout.store import PLURALS
from tests.unit.rollout.things import Thing


class Kubectl(Runner):
    """Does what kubectl, git and pytest would, without a process; `ran` are the commands. `older` commits are those
    that git finds in any other; `pushed` says whether commits are on a remote branch."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        super().__init__({})
        self.kubernetes, self.ran = kubernetes, list[Command]()
        self.logs, self.junit, self.forbidden = "", "", False
        self.pushed, self.older = True, set[str]()

    def run(self, command: Command, *, enough: Callable[[], bool] = lambda: False, **_: Any) -> Result:
        self.admit(change=command.kind is Kind.CHANGE)
        if report := next((word for word in command.argv if word.startswith("--junit-xml=")), ""):
            if not (gate := command.env.get(checks.START)) or _started(str(gate), enough):
                self.ran.append(command)
                Path(report.partition("=")[2]).write_text(self.junit)
            return result()
        self.ran.append(command)
        if command.argv[0] == "git":
            ancestor = command.argv[-2] in self.older
            return result("", 0 if ancestor else 1)
        words = [word for word in command.argv[3:] if not word.startswith("--")]
        sent = command.stdin.reveal() if isinstance(command.stdin, Secret) else command.stdin
        return result(getattr(self, f"on_{words[0]}")(words[1:], list(_items(sent))) or "")

    def verbs(self) -> list[str]:
        return [next(w for w in command.argv[3:] if not w.startswith("--")) for command in self.ran]

    def _known(self, items: list[Thing]) -> None:
        """Refuse what kubectl does not find a kind for."""
        for item in items:
            if item["kind"] in ADDED - self.kubernetes.added:
                raise CommandFailed("kubectl", 1, tail=f'error: no matches for kind "{item["kind"]}"')

    def on_apply(self, words: list[str], items: list[Thing]) -> None:
        self._known(items)
        if self.forbidden:
            raise CommandFailed("kubectl", 1, tail="Error from server (Forbidden): namespaces")
        for item in items:
            self.kubernetes.apply(item)

    def on_get(self, words: list[str], items: list[Thing]) -> str:
        self._known(items)
        keys = [(item["kind"], item["metadata"]["name"]) for item in items]
        stored = [self.kubernetes.objects[key] for key in keys if key in self.kubernetes.objects]
        return json.dumps({"kind": "List", "items": stored})

    def on_delete(self, words: list[str], items: list[Thing]) -> None:
        for word in words:
            kind, _, name = word.partition("/")
            if word in self.kubernetes.undeletable:
                raise CommandFailed("kubectl", 1, tail=f"{word} is forbidden")
            kind = next(known for known in (*PLURALS, "Gateway") if known.lower() == kind)
            self.kubernetes.drop(kind, name)
        for item in items:
            self.kubernetes.drop_whole(item["kind"], item["metadata"]["name"])

    def on_logs(self, words: list[str], items: list[Thing]) -> str:
        return self.logs

    def on_describe(self, words: list[str], items: list[Thing]) -> str:
        return "described"


def result(stdout: str = "", exit_code: int = 0) -> Result:
    return Result(exit_code=exit_code, raw=stdout.encode(), tail="", seconds=0, log=None)


def _started(gate: str, enough: Callable[[], bool]) -> bool:
    """Wait as pytest does for a line that comes by the pipe GATE; return whether one came."""
    pipe = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while not enough() and not select.select([pipe], [], [], 0.01)[0]:
            pass
        return bool(select.select([pipe], [], [], 0)[0] and os.read(pipe, 1))
    finally:
        os.close(pipe)


def _items(text: str | None) -> Iterator[Thing]:
    sent = json.loads(text or '{"kind": "List", "items": []}')
    yield from sent["items"] if sent["kind"] == "List" else [sent]
