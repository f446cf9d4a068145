"""What a protected environment may get is asked of the remote itself, with the real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import Precondition
from longshore.process.command import Command
from longshore.process.runner import Result, Runner
from longshore.snapshot.remote import Remote

WHO = ("-c", "user.name=a", "-c", "user.email=a@example.com")


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(["git", *WHO, *argv], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "server")
    git(tmp_path / "server", "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "server", "clone")
    folder = tmp_path / "clone"
    git(folder, "checkout", "--quiet", "-B", "main")
    commit(folder, "one")
    git(folder, "push", "--quiet", "origin", "main")
    return folder


def remote(folder: Path, name: str = "origin", branch: str = "main", runner: Runner | None = None) -> Remote:
    runner = runner or Runner(os.environ)
    return Remote(folder=folder, state=folder / ".longshore", runner=runner, name=name, branch=branch)


def test_the_tip_and_what_it_contains_are_on_the_branch(clone: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    second = commit(clone, "two")
    assert not remote(clone).branch_has(second)
    git(clone, "push", "--quiet", "origin", "main")
    assert remote(clone).branch_has(second)
    assert remote(clone).branch_has(first)


def test_a_remote_with_long_names_of_objects_is_asked_as_well(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "--object-format=sha256", "server")
    git(tmp_path / "server", "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "--object-format=sha256", "clone")
    git(folder := tmp_path / "clone", "remote", "add", "origin", str(tmp_path / "server"))
    first = commit(folder, "one")
    second = commit(folder, "two")
    git(folder, "push", "--quiet", "origin", "main")
    assert remote(folder).branch_has(first)
    assert remote(folder).branch_has(second)
    assert not remote(folder).branch_has(commit(folder, "three"))


def test_a_local_ref_is_no_answer(clone: Path) -> None:
    second = commit(clone, "two")
    git(clone, "update-ref", "refs/remotes/origin/main", second)
    assert not remote(clone).branch_has(second)
    assert not remote(clone).has(second)


def test_another_branch_is_enough_for_a_plan_and_not_for_a_release(clone: Path) -> None:
    git(clone, "checkout", "--quiet", "-b", "feature")
    second = commit(clone, "two")
    git(clone, "push", "--quiet", "origin", "feature")
    assert remote(clone).has(second)
    assert not remote(clone).branch_has(second)


def test_a_shallow_clone_knows_no_less(clone: Path, tmp_path: Path) -> None:
    old = git(clone, "rev-parse", "HEAD")
    for number in range(5):
        commit(clone, str(number))
    git(clone, "push", "--quiet", "origin", "main")
    server = (tmp_path / "server").as_uri()
    git(tmp_path, "clone", "--quiet", "--depth=1", server, "shallow")
    before = git(tmp_path / "shallow", "count-objects")
    assert remote(tmp_path / "shallow").branch_has(old)
    assert not remote(tmp_path / "shallow").branch_has("0" * 40)
    assert git(tmp_path / "shallow", "count-objects") == before


def test_a_remote_may_be_named_by_its_address(clone: Path, tmp_path: Path) -> None:
    old = git(clone, "rev-parse", "HEAD")
    commit(clone, "two")
    git(clone, "push", "--quiet", "origin", "main")
    git(clone, "remote", "set-url", "origin", "/nowhere")
    assert remote(clone, (tmp_path / "server").as_uri()).branch_has(old)


def test_a_remote_that_does_not_answer_is_no_permission(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", "/nowhere")
    with pytest.raises(Precondition, match="does not say which commits it has") as caught:
        remote(clone).has(git(clone, "rev-parse", "HEAD"))
    assert "/nowhere" in caught.value.detail


def test_a_branch_that_does_not_exist_is_named(clone: Path) -> None:
    with pytest.raises(Precondition, match="has no branch production"):
        remote(clone, branch="production").branch_has(git(clone, "rev-parse", "HEAD"))


PASSWORD = "glpat-0123456789abcdef"  # pragma: allowlist secret


class Spy(Runner):
    """Notes the words of each command."""

    words = ""

    def run(self, command: Command, **options: Any) -> Result:
        self.words += f"{command.text}\n"
        return super().run(command, **options)


@pytest.mark.parametrize("named", [True, False])
def test_the_password_of_a_remote_is_in_no_argument_no_log_and_no_file(
    clone: Path, tmp_path: Path, *, named: bool
) -> None:
    old = git(clone, "rev-parse", "HEAD")
    commit(clone, "two")
    git(clone, "push", "--quiet", "origin", "main")
    url = f"ssh://oauth2:{PASSWORD}@example.com{tmp_path}/server"
    git(clone, "remote", "set-url", "origin", url if named else "/nowhere")
    (tmp_path / "ssh").write_text('#!/bin/sh\necho "asked as $1" >&2\nsh -c "$2"\n')
    (tmp_path / "ssh").chmod(0o755)
    environ = {**os.environ, "GIT_SSH": str(tmp_path / "ssh"), "GIT_SSH_VARIANT": "simple"}
    runner = Spy(environ, log_dir=tmp_path / "logs")
    assert remote(clone, "origin" if named else url, runner=runner).branch_has(old)
    assert "fetch" in runner.words
    assert PASSWORD not in runner.words
    logs = [path.read_text() for path in (tmp_path / "logs").iterdir()]
    assert any("asked as oauth2:[redacted]@example.com" in log for log in logs)
    kept = [path.read_bytes() for path in (clone / ".longshore").rglob("*") if path.is_file()]
    assert not any(PASSWORD in log for log in logs)
    assert not any(PASSWORD.encode() in content for content in kept)
    with pytest.raises(Precondition) as caught:
        remote(clone, "origin" if named else url, branch="none", runner=runner).branch_has(old)
    assert PASSWORD not in runner.redactor.text(caught.value.sentence)


def test_hooks_and_cautions_of_the_users_git_are_not_about_a_repository_of_ours(clone: Path, tmp_path: Path) -> None:
    old = git(clone, "rev-parse", "HEAD")
    commit(clone, "two")
    git(clone, "push", "--quiet", "origin", "main")
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "reference-transaction").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "hooks" / "reference-transaction").chmod(0o755)
    said = f"[safe]\nbareRepository = explicit\ndirectory = *\n[core]\nhooksPath = {tmp_path}/hooks\n"
    (tmp_path / ".gitconfig").write_text(said)
    environ = {**os.environ, "HOME": str(tmp_path)}
    assert remote(clone, runner=Runner(environ)).branch_has(old)


def test_what_only_this_clone_knows_of_how_to_reach_it_counts(clone: Path, tmp_path: Path) -> None:
    """As a job's checkout keeps its token: in a file that only its own repository includes."""
    old = git(clone, "rev-parse", "HEAD")
    commit(clone, "two")
    git(clone, "push", "--quiet", "origin", "main")
    git(clone, "remote", "set-url", "origin", f"ssh://example.com{tmp_path}/server")
    (tmp_path / "ssh").write_text('#!/bin/sh\nsh -c "$2"\n')
    (tmp_path / "ssh").chmod(0o755)
    git(clone, "config", "--file", str(tmp_path / "included"), "core.sshCommand", str(tmp_path / "ssh"))
    git(clone, "config", f"includeIf.gitdir:{clone}/.git.path", str(tmp_path / "included"))
    assert remote(clone, runner=Runner({**os.environ, "GIT_SSH_VARIANT": "simple"})).branch_has(old)
