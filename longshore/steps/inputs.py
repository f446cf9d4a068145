"""What a step reads, as data: files, versions of tools, settings, outputs of other steps. Each keeps its own name and hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from longshore.steps.tree import Tree

Value = Callable[[], object] | str | float | bool | None | tuple[str, ...] | list[str] | dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a step reads.

    `files` are patterns (see tree.selector); `ignored` counts files that git ignores too, for a step whose tool does not ask git.
    `tools` are installed distributions, `*` all of them, or programs on the PATH. `settings` are keys of longshore.toml with their
    values, `outputs` steps with what came out of them, `observed` things in the environment with how to look at them.
    """

    files: tuple[str, ...] = ()
    ignored: bool = False
    tools: tuple[str, ...] = ("python",)
    settings: Mapping[str, Value] = field(default_factory=dict)
    outputs: Mapping[str, Value] = field(default_factory=dict)
    observed: Mapping[str, Value] = field(default_factory=dict)

    def read(self, tree: Tree) -> dict[str, str]:
        """Return the name of each input with what identifies its content now: a hash, a version or the value itself."""
        found = tree.hashes(tree.match(self.files, ignored=self.ignored))
        for name in self.tools:
            found[f"tool {name}"] = _tool(name, tree)
        for kind, values in (
            ("setting", self.settings),
            ("output of", self.outputs),
            ("observed", self.observed),
        ):
            for name, value in values.items():
                found[f"{kind} {name}"] = _text(value() if callable(value) else value)
        return found


def key(step: str, inputs: Mapping[str, str]) -> str:
    """Return the one hash of all INPUTS of STEP: what its result is kept under."""
    total = hashlib.sha256(step.encode())
    for name in sorted(inputs):
        total.update(f"\0{name}\0{inputs[name]}".encode())
    return total.hexdigest()


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, old, new) of each input that differs; an empty text stands for one that is not there."""
    names = sorted(set(before) | set(now))
    return [(n, before.get(n, ""), now.get(n, "")) for n in names if before.get(n) != now.get(n)]


def _text(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def _tool(name: str, tree: Tree) -> str:
    if name == "python":
        return f"{sys.implementation.name} {sys.version.split()[0]}"
    installed = _installed()
    if name == "*":
        return hashlib.sha256(repr(sorted(installed.items())).encode()).hexdigest()[:16]
    if name in installed:
        return installed[name]
    program = shutil.which(name)
    if program is None:
        return "missing"
    return tree.hashes([os.path.realpath(program)])[os.path.realpath(program)]


@cache
def _installed() -> dict[str, str]:
    """Return the distributions of this Python with their versions, by the names of their folders: reading metadata takes longer."""
    found = {}
    for folder in reversed([path for path in sys.path if path]):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                found[distribution.lower().replace("_", "-")] = version
    return found


def shown(value: str) -> str:
    """Return VALUE as a person wants to see it: hashes cut to twelve digits."""
    plain = value.removesuffix("+x")
    if len(plain) == 64 and not set(plain) - set("0123456789abcdef"):
        return plain[:12] + (" (executable)" if value.endswith("+x") else "")
    return value if len(value) <= 60 else f"{value[:57]}…"
