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
                hint="a protected environment gets only what is pushed; check this machine's access to the remote",
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

    @cached_property
    def _history(self) -> Path:
        """A repository of ours with the branch's commits: the user's may be shallow, and is only read."""
        history = self.state / "remote.git"
        try:
            if not (history / "HEAD").exists():
                self.runner.run(git.create(history, self.refs[f"refs/heads/{self.branch}"]))
            self.runner.run(git.fetch_commits(history, self.folder, self.address, self.branch))
        except (CommandFailed, DeadlineExceeded) as problem:
            raise Precondition(
                f"the history of {self.branch} cannot be fetched from {self.name}",
                detail=problem.detail or problem.sentence,
                hint="check the network and this machine's access to the remote",
            ) from None
        return history
