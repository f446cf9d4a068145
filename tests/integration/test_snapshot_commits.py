"""Another commit than the current one, taken with the real git from real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import Precondition
from tests.integration.repositories import HELD, commit, files, git, project, repository, snapshot

__all__ = ["project"]


def test_another_commit_is_taken_as_it_was(project: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    (project / "application" / "new.py").write_text("")
    commit(project)
    (project / "application" / "app.py").write_text("edited = 1\n")
    taken = snapshot(project, of=first[:12])
    assert (taken.commit, taken.revision, taken.dirty) == (first, first[:12], False)
    assert (taken.checkout() / "application" / "app.py").read_text() == "one = 1\n"
    assert files(taken.checkout()) == HELD


def test_another_commit_of_a_project_below_the_top_is_its_folder(tmp_path: Path) -> None:
    inner = repository(tmp_path / "top" / "inner")
    (tmp_path / "top" / "inner" / ".git").rename(tmp_path / "top" / ".git")
    first = commit(tmp_path / "top")
    (inner / "application" / "app.py").unlink()
    commit(tmp_path / "top")
    assert "application/app.py" in snapshot(inner, of=first[:12]).entries


def test_a_commit_that_is_not_here_is_a_missing_precondition(project: Path) -> None:
    with pytest.raises(Precondition, match="has no commit 123456789abc") as problem:
        snapshot(project, of="123456789abc")
    assert "git fetch" in problem.value.hint
