"""Snapshots as folders: each is brought from one snapshot to the next in proportion to what has changed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import os
import shutil
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from longshore.commands import git
from longshore.process.runner import Runner


class Part(Struct, frozen=True, kw_only=True):
    """What one repository gives: the project's own or, at PREFIX, a submodule. ENV is how git finds its objects.

    ATTRIBUTES is a file of this clone alone, OWN a hash of what it says; empty where it says nothing.
    """

    prefix: str
    tree: str
    env: Mapping[str, str]
    entries: Mapping[str, str]
    attributes: Path
    own: str


class Checkouts:
    """The folders of one run's snapshot. No other run uses them meanwhile: it takes the next ones."""

    def __init__(self, state: Path, parts: list[Part], runner: Runner, commit: str) -> None:
        self._state, self._parts, self._runner, self._commit = state, parts, runner, commit
        self._folders: dict[str, Path] = {}
        self._lock = threading.Lock()

    def source(self) -> Path:
        """Return the folder that images, manifests and Terraform are made from: the snapshot and nothing else."""
        return self._folder("source", pristine=True)

    def workspace(self) -> Path:
        """Return the folder that the gates run in; what git ignores, such as caches, stays there between runs."""
        return self._folder("gates", pristine=False)

    def edited(self) -> list[str]:
        """Return the files in the workspace that are not what the snapshot holds: a gate has changed them."""
        folder, names = self.workspace(), []
        for part in self._parts:
            where, env = self._place(part, folder)
            printed = self._runner.run(git.edited(where, env)).raw
            names += [part.prefix + os.fsdecode(name) for name in printed.split(b"\0") if name]
        return names

    def _place(self, part: Part, folder: Path) -> tuple[Path, dict[str, str]]:
        """Return where PART is in FOLDER, and how git finds that and its index."""
        where = folder / part.prefix
        # By the clone's own attributes, since git sees no change in a file that it wrote by others.
        index = self._state / f"{folder.name}.index{part.prefix.replace('/', '%')}{part.own}"
        return where, {**part.env, "GIT_WORK_TREE": str(where), "GIT_INDEX_FILE": str(index)}

    def _folder(self, kind: str, *, pristine: bool) -> Path:
        with self._lock:
            if kind not in self._folders:
                folder = self._claimed(kind)
                for part in self._parts:
                    self._check_out(part, folder, pristine=pristine)
                self._folders[kind] = folder
            return self._folders[kind]

    def _claimed(self, kind: str) -> Path:
        for number in itertools.count():
            folder = self._state / f"{kind}-{number}"
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._state / f"{folder.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            weakref.finalize(self, os.close, lock)  # held for as long as this object, or the program, lives
            return folder
        raise AssertionError

    def _check_out(self, part: Part, folder: Path, *, pristine: bool) -> None:
        where, env = self._place(part, folder)
        where.mkdir(parents=True, exist_ok=True)
        if not pristine:  # where a repository seems to begin, tools look no further up for what to ignore
            (folder / ".git").mkdir(exist_ok=True)
        self._runner.run(git.check_out(where, env, part.tree))
        self._runner.run(git.clean(where, env, ignored=pristine))
        if not pristine and not part.prefix:
            _make_repository(folder / ".git", env, self._commit)


def said(attributes: Path) -> str:
    """Return a hash of the lines in the file ATTRIBUTES; empty where it has none, or only comments."""
    with contextlib.suppress(FileNotFoundError):
        lines = [line.strip() for line in attributes.read_bytes().splitlines()]
        if lines := [line for line in lines if line and not line.startswith(b"#")]:
            return hashlib.sha256(b"\n".join(lines)).hexdigest()[:8]
    return ""


def _make_repository(folder: Path, env: Mapping[str, str], commit: str) -> None:
    """Have FOLDER be a repository at COMMIT with the index that ENV names.

    A project's own gate may ask git what there is, as pre-commit does. Objects are borrowed, and nothing that is done
    in it reaches the user's repository.
    """
    shutil.rmtree(folder)
    for name in ("objects/info", "refs"):
        (folder / name).mkdir(parents=True)
    objects = (env["GIT_OBJECT_DIRECTORY"], env["GIT_ALTERNATE_OBJECT_DIRECTORIES"])
    (folder / "objects" / "info" / "alternates").write_text("".join(f"{path}\n" for path in objects), encoding="utf-8")
    (folder / "HEAD").write_text(f"{commit}\n", encoding="utf-8")
    shutil.copy2(env["GIT_INDEX_FILE"], folder / "index")
