"""Takes a snapshot with git's own means: an index of our own knows what is on disk; a tree of it is the snapshot.

The index is kept between runs, so only files that have changed are read again. New objects go into a folder of
Longshore's; the user's repository is only read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path

from msgspec import Struct

from longshore.commands import git
from longshore.errors import CommandFailed, Precondition
from longshore.files import write_atomically, write_if_changed
from longshore.process.runner import Runner
from longshore.settings.model import Settings
from longshore.snapshot.checkout import Checkouts, Part, said
from longshore.snapshot.snapshot import Snapshot, context_of

DAY = 24 * 3600  # seconds for which objects that only Longshore made are kept
LISTINGS = 4  # trees whose files are remembered
SUBMODULE = "160000"
Entries = dict[str, str]


def take(settings: Settings, runner: Runner, *, committed: bool = False, commit: str = "") -> Snapshot:
    """Return a snapshot of the working tree; of the commit alone where COMMITTED, or of another COMMIT.

    Raises Precondition, with git's own words, where there is no repository with that commit that git would read.
    """
    write_if_changed(settings.work / ".gitignore", "*\n")  # the project need not ignore what is ours
    committed = committed or bool(commit)
    source = Source(folder=settings.root, state=settings.work / "snapshot", runner=runner, commit=commit)
    parts = list(source.committed() if committed else source.on_disk())
    if filtered := next((part.attributes for part in parts if committed and part.own), None):
        raise Precondition(
            "attributes of this clone change what is checked out: nobody else gets the same files of the commit",
            hint=f"delete {filtered}, or commit what it says as .gitattributes; nothing was changed",
        )
    entries = _entries(parts)
    differs = not committed and source.differs(parts)
    deployed = _deployed(settings, source, parts) if differs else []
    dirty = differs and deployed != _deployed(settings, source, source.at_head())
    suffix = f"-dirty-{hashlib.sha256(repr(deployed).encode()).hexdigest()[:8]}" if dirty else ""
    folders = Checkouts(settings.work / "snapshot", parts, runner, source.repository.commit)
    return Snapshot(
        commit=source.repository.commit,
        revision=source.repository.commit[:12] + suffix,
        dirty=dirty,
        entries=entries,
        checkout=folders.source,
        workspace=folders.workspace,
        edited=folders.edited,
        read=partial(source.content, parts),
    )


def _deployed(settings: Settings, source: Source, parts: list[Part]) -> list[tuple[str, str]]:
    """Return the files of PARTS that a release is made from; a change elsewhere does not make it another revision."""
    entries = _entries(parts)
    names = context_of(entries, partial(source.content, parts), settings.application.dockerfile)
    manifests = (name for name in entries if name.startswith("k8s/"))
    return sorted((name, entries[name]) for name in {*names, *manifests})


def _entries(parts: list[Part]) -> Entries:
    return {part.prefix + name: entry for part in parts for name, entry in part.entries.items()}


class Repository(Struct, frozen=True, kw_only=True):
    """What git says of a folder: where it keeps what, and the commit and the folder's tree at HEAD."""

    git_dir: Path
    index: Path
    objects: Path
    attributes: Path
    commit: str
    tree: str
    below: str  # where the folder is in its repository: empty, or a path that ends with a slash


class Source(Struct, frozen=True, kw_only=True, dict=True):
    """A folder in a git repository: the project's root or, at `prefix`, a submodule.

    `state` is where we keep things. `commit` stands for HEAD, where it is given.
    """

    folder: Path
    state: Path
    runner: Runner
    prefix: str = ""
    commit: str = ""

    @cached_property
    def repository(self) -> Repository:
        """Raises Precondition where git does not read this folder or there is no commit."""
        result = self.runner.run(git.describe(self.folder), check=False)
        lines = result.stdout.split("\n")
        where = f"the submodule {self.prefix}" if self.prefix else "this folder"
        if lines[0] == "true":
            raise Precondition(f"{where} is a bare git repository: it holds no files", hint="work in a clone of it")
        if result.exit_code != 0 and len(lines) < 5:
            hint = "releases are named by commit: `git init && git add . && git commit` starts a repository"
            owned = "safe.directory" in result.tail  # git prints the command to run
            raise Precondition(f"git cannot read {where}", detail=result.tail, hint="" if owned else hint)
        if result.exit_code != 0:
            absent = f"{where} has no commit yet" if lines[5] == "HEAD" else f"{where} is not in commit {lines[5][:12]}"
            raise Precondition(absent, hint="`git add . && git commit`: releases are named by commit")
        git_dir, index, objects, attributes = (self.folder / path for path in lines[1:5])
        commit, tree, below = lines[5:8]
        if self.commit:
            commit, tree = self._other()
        return Repository(
            git_dir=git_dir, index=index, objects=objects, attributes=attributes, commit=commit, tree=tree, below=below
        )

    def _other(self) -> tuple[str, str]:
        """Return the full hash of the commit that stands for HEAD, and the folder's tree in it."""
        try:
            commit, tree, *_ = self.runner.run(git.resolve(self.folder, self.commit)).stdout.split("\n")
        except CommandFailed as problem:
            hint = "fetch it: `git fetch --all`, in a shallow clone with `--unshallow`"
            raise Precondition(
                f"this repository has no commit {self.commit}", detail=problem.detail, hint=hint
            ) from None
        return commit, tree

    @property
    def env(self) -> dict[str, str]:
        """Where git finds objects: the repository's own, and those that snapshots have added."""
        own = self.state / "objects"
        own.mkdir(parents=True, exist_ok=True)
        alternate = str(self.repository.objects.resolve()).replace("\\", "\\\\").replace('"', '\\"')
        return {"GIT_OBJECT_DIRECTORY": str(own), "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{alternate}"'}

    def on_disk(self) -> Iterator[Part]:
        """Yield what is on disk: tracked files, and new ones that git does not ignore, submodules' too."""
        part = self._part(self._written())
        yield part
        for submodule in self._submodules(part):
            yield from submodule.on_disk()

    def committed(self, commit: str = "") -> Iterator[Part]:
        """Yield what COMMIT holds (by default HEAD), submodules too. Raises Precondition where one is not here."""
        tree = self.repository.tree
        if commit:
            try:
                tree = self.runner.run(git.tree_of(self.folder, commit)).stdout.strip()
            except CommandFailed as problem:
                raise Precondition(
                    f"the submodule {self.prefix} does not hold the commit {commit[:12]}",
                    detail=problem.detail,
                    hint="`git submodule update --init --recursive` fetches it",
                ) from None
        part = self._part(tree)
        yield part
        for submodule in self._submodules(part):
            yield from submodule.committed(part.entries[submodule.prefix[len(self.prefix) : -1]].split()[1])

    def at_head(self) -> list[Part]:
        """Return what HEAD holds; nothing where a submodule's commit is not here, since nothing equals that."""
        try:
            return list(self.committed())
        except Precondition:
            return []

    def content(self, parts: list[Part], name: str) -> bytes:
        """Return what the file NAME of PARTS holds. It is read from disk where it is still the same."""
        part = max((part for part in parts if name.startswith(part.prefix)), key=lambda part: len(part.prefix))
        identity = part.entries[name.removeprefix(part.prefix)].split()[1]
        with contextlib.suppress(OSError):
            data = (self.folder / name).read_bytes()
            algorithm = "sha1" if len(identity) == 40 else "sha256"
            if hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() == identity:
                return data
        return self.runner.run(git.blob(self.folder, part.env, identity)).raw

    def differs(self, parts: list[Part]) -> bool:
        """Return whether PARTS may be something else than HEAD."""
        return len(parts) > 1 or parts[0].tree != self.repository.tree

    def _part(self, tree: str) -> Part:
        env, own = self.env | {"GIT_DIR": str(self.repository.git_dir)}, self.repository.attributes
        entries = self._listed(tree)
        return Part(prefix=self.prefix, tree=tree, env=env, entries=entries, attributes=own, own=said(own))

    def _submodules(self, part: Part) -> Iterator[Source]:
        for name, entry in part.entries.items():
            if entry.startswith(SUBMODULE) and (self.folder / name / ".git").exists():
                state = self.state / "submodules" / hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
                prefix = f"{self.prefix}{name}/"
                yield Source(folder=self.folder / name, state=state, runner=self.runner, prefix=prefix)

    def _listed(self, tree: str) -> Entries:
        """Return mode and object id of each file of TREE by its name."""
        memory = self.state / "trees" / tree
        listing = _remembered(memory)
        if listing is None:
            listing = self.runner.run(git.list_tree(self.folder, self.env, tree)).raw
            _remember(memory, listing)
            for old in sorted(memory.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-LISTINGS]:
                old.unlink(missing_ok=True)
        rows = (row.partition(b"\t") for row in listing.split(b"\0") if row)
        return {os.fsdecode(name): f"{about[:6].decode()} {about.split()[2].decode()}" for about, _, name in rows}

    def _written(self) -> str:
        """Write what is on disk as a tree and return its id.

        The index that an earlier run left may be damaged (a power cut, an emptied folder): then one is made anew.
        """
        while True:
            try:
                return self._written_once()
            except CommandFailed as problem:
                kept = list(self.state.glob("index-*"))
                for index in kept:
                    index.unlink(missing_ok=True)
                if not kept:
                    raise Precondition(
                        "git cannot take a snapshot of the files",
                        detail=problem.detail,
                        hint="`git add --all --dry-run` says the same",
                    ) from None

    def _written_once(self) -> str:
        self.state.mkdir(parents=True, exist_ok=True)
        index = self.repository.index
        seen = index.stat() if index.exists() else None
        kept = self.state / (f"index-{seen.st_mtime_ns}-{seen.st_size}-{seen.st_ino}" if seen else "index-none")
        known, draft = self.state / f"tree-of-{kept.name}", self.state / f"draft-{os.getpid()}"
        env = self.env | {"GIT_INDEX_FILE": str(draft)}
        first = not kept.exists()
        if seen or not first:
            # With its times: git compares them with those of files to see what changed within one tick of the clock.
            shutil.copy2(index if first else kept, draft)
        try:
            if first and seen:
                self._clear_flags(env)
            before = None if first else draft.stat().st_ino
            self.runner.run(git.add_all(self.folder, env))
            same = draft.stat().st_ino == before  # git did not replace it: the tree is that of the last time
            if same and (last := _remembered(known)):
                return last.decode()
            tree = self.runner.run(git.write_tree(self.folder, env, self.repository.below)).stdout.strip()
            known.unlink(missing_ok=True)
            draft.replace(kept)
            _remember(known, tree.encode())
        finally:
            draft.unlink(missing_ok=True)
        if first:
            self._forget(kept)
        return tree

    def _clear_flags(self, env: Mapping[str, str]) -> None:
        """Have git look at files that it was told not to look at, except for what a sparse checkout leaves out."""
        rows = [row for row in self.runner.run(git.flags(self.folder, env)).raw.split(b"\0") if row]
        assumed = [row[2:] for row in rows if row[:1].islower()]
        skipped = [row[2:] for row in rows if row[:1] in b"Ss" and os.path.lexists(self.folder / os.fsdecode(row[2:]))]
        for flag, names in (("assume-unchanged", assumed), ("skip-worktree", skipped)):
            if names:
                text = os.fsdecode(b"".join(name + b"\0" for name in names))
                self.runner.run(git.clear_flag(self.folder, env, flag, text))

    def _forget(self, kept: Path) -> None:
        """Delete older indexes, and what nobody has needed for a day: objects, drafts of runs that were killed."""
        for old in (*self.state.glob("index-*"), *self.state.glob("tree-of-*")):
            if not old.name.endswith(kept.name):
                old.unlink(missing_ok=True)
        limit = time.time() - DAY
        for path in (*(self.state / "objects").glob("??/*"), *self.state.glob("draft-*")):
            with contextlib.suppress(FileNotFoundError):  # a run beside this one may have deleted it
                if path.stat().st_mtime < limit:
                    path.unlink(missing_ok=True)


def _remember(path: Path, data: bytes) -> None:
    """Keep DATA at PATH with its digest: it is not worth a wait for the disk, so a power cut may damage it."""
    write_atomically(path, hashlib.sha256(data).digest() + data, sync=False)


def _remembered(path: Path) -> bytes | None:
    """Return what `_remember` kept at PATH; None where there is nothing, or something else."""
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    return kept[32:] if hashlib.sha256(kept[32:]).digest() == kept[:32] else None
