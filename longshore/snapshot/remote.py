"""Asks the remote repository itself what it holds: no variable and no local branch stands in for its answer."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from msgspec import Struct

from longshore.commands import git
from longshore.errors import CommandFailed, DeadlineExceeded, Precondition
from longshore.process.redaction import secrets_in
from longshore.process.runner import Runner


class Remote(Struct, frozen=True, kw_only=True, dict=True):
    """A remote of the repository in `folder`: a name that git knows, or a URL. `state` is a folder of ours."""

    folder: Path
    state: Path
    runner: Runner
    name: str
    branch: str

    @cached_property
    def address(self) -> str:
        """The remote's URL. From now on, no log shows the password in it."""
        url = self.name
        if ":" not in url:  # so it may be a name
            url = self.runner.run(git.remote_address(self.folder, url), check=False).stdout.strip() or url
        self.runner.redactor.add(*secrets_in({"": url}))
        return url

    @cached_property
    def refs(self) -> dict[str, str]:
        """The commit of each ref. Raises Precondition, with git's own words, where the remote does not answer."""
        try:
            listing = self.runner.run(git.list_remote(self.folder, self.name, self.address)).stdout
        except (CommandFailed, DeadlineExceeded) as problem:
            raise Precondition(
                f"the remote {self.name} does not say which commits it has",
                detail=problem.detail or problem.sentence,
                hint="it says what is protected, and what is pushed; check this machine's access to the remote",
            ) from None
        rows = (line.split("\t") for line in listing.splitlines())
        return {ref: commit for commit, ref in rows}

    def has(self, commit: str) -> bool:
        """Return whether any ref of the remote is at COMMIT, or its branch contains it."""
        return commit in self.refs.values() or self.branch_has(commit)

    def branch_has(self, commit: str) -> bool:
        """Return whether the branch contains COMMIT. Raises Precondition where the remote has no such branch."""
        tip = self.refs.get(f"refs/heads/{self.branch}")
        if tip is None:
            raise Precondition(
                f"the remote {self.name} has no branch {self.branch}",
                hint="`branch` of the environment in longshore.toml names it",
            )
        return tip == commit or self.runner.run(git.is_ancestor(commit, tip, self._history), check=False).exit_code == 0

    @property
    def known(self) -> bool:
        """Whether there is anything to ask: a URL, a path, or a name that git knows."""
        return self.address != self.name or not {":", "/"}.isdisjoint(self.name)

    @cached_property
    def tip(self) -> dict[str, str]:
        """How git, in the folder, finds the branch at its tip, whatever the folder's own repository has of it."""
        bare = self._fetched("tip.git", tip=True)
        top = self.runner.run(git.top(self.folder)).stdout.removesuffix("\n")
        return {"GIT_DIR": str(bare), "GIT_WORK_TREE": top, **self._env}

    @cached_property
    def _env(self) -> dict[str, str]:
        """How a repository of ours reaches the remote: as the folder's own does, by the token of a job's checkout."""
        said = self.runner.run(git.access(self.folder), check=False).stdout.split("\0")
        return git.named(self.address, ((key, value) for key, _, value in (row.partition("\n") for row in said if row)))

    @cached_property
    def _history(self) -> Path:
        return self._fetched("remote.git")

    def _fetched(self, name: str, *, tip: bool = False) -> Path:
        """Return a repository of ours with the branch's commits: the user's may be shallow, and is only read."""
        bare = self.state / name
        try:
            if not (bare / "HEAD").exists():
                self.runner.run(git.create(bare, self.refs[f"refs/heads/{self.branch}"]))
            self.runner.run(git.fetch_branch(bare, self.folder, self._env, self.branch, tip=tip))
        except (CommandFailed, DeadlineExceeded) as problem:
            raise Precondition(
                f"the history of {self.branch} cannot be fetched from {self.name}",
                detail=problem.detail or problem.sentence,
                hint="check the network and this machine's access to the remote",
            ) from None
        return bare
