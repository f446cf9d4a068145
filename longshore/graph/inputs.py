"""What a step reads, as data: files, versions of tools, settings, outputs of other steps.

Each has a name and a hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import cache

import msgspec
from msgspec import Struct, field

from longshore.snapshot.snapshot import Snapshot

Observed = Callable[[], object] | str | float | bool | None | tuple[str, ...] | list[str] | dict[str, object]


class Inputs(Struct, frozen=True, kw_only=True):
    """What a step reads.

    `files` are patterns (see snapshot.patterns), `dockerfile` stands for all that a build by it is made from. `tools`
    are installed distributions, `*` for all of them, or programs on the PATH. `settings` are keys of longshore.toml
    with their values, `outputs` are steps whose values it reads, `observed` are other things with their values or how
    to get them.
    """

    files: tuple[str, ...] = ()
    dockerfile: str = ""
    tools: tuple[str, ...] = ("python",)
    settings: Mapping[str, Observed] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    observed: Mapping[str, Observed] = field(default_factory=dict)

    def read(self, snapshot: Snapshot, outputs: Mapping[str, object]) -> dict[str, str]:
        """Return what identifies each input now, by name. OUTPUTS are the values of the steps called so."""
        # A name that is not UTF-8 is kept with the numbers of its bytes, since JSON is UTF-8.
        files = (*snapshot.match(self.files), *(snapshot.context(self.dockerfile) if self.dockerfile else ()))
        names = {os.fsencode(name).decode(errors="backslashreplace"): name for name in files}
        inputs = {printable: snapshot.entries[name] for printable, name in names.items()}
        inputs |= {f"tool {name}": version(name) for name in self.tools}
        for kind, values in (("setting", self.settings), ("output of", outputs), ("observed", self.observed)):
            inputs |= {f"{kind} {name}": _text(value() if callable(value) else value) for name, value in values.items()}
        return inputs


def key(step: str, inputs: Mapping[str, str]) -> str:
    """Return the one hash of all INPUTS of STEP: what its result is kept under."""
    total = hashlib.sha256(step.encode())
    for name in sorted(inputs):
        total.update(f"\0{name}\0{inputs[name]}".encode(errors="surrogateescape"))
    return total.hexdigest()


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (name, old, new) of each input that differs; an empty text stands for one that is absent."""
    names = sorted(set(before) | set(now))
    return [(name, before.get(name, ""), now.get(name, "")) for name in names if before.get(name) != now.get(name)]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(msgspec.to_builtins(value), sort_keys=True, default=str)


def version(name: str) -> str:
    """Return the version of the installed distribution NAME, or the hash of the program of that name."""
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
    with open(program, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def _installed() -> dict[str, str]:
    """Return this Python's distributions and versions, from the names of their folders: reading metadata is slow."""
    versions = {}
    for folder in reversed([path for path in sys.path if path]):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                distribution, _, version = name.removesuffix(".dist-info").partition("-")
                versions[distribution.lower().replace("_", "-")] = version
    return versions


def shown(value: str) -> str:
    """Return VALUE as a person wants to see it: git's objects and hashes cut to twelve digits."""
    mode, _, content = value.rpartition(" ")
    if len(content) in (40, 64) and not set(content) - set("0123456789abcdef") and mode in ("", *KINDS):
        return content[:12] + KINDS.get(mode, "")
    return value if len(value) <= 60 else f"{value[:57]}…"


KINDS = {"100644": "", "100755": " (executable)", "120000": " (link)", "160000": " (submodule)"}
