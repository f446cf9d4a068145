"""A snapshot is the same whatever the user's git is told: settings, replacements, attributes of one clone."""

from __future__ import annotations

from pathlib import Path

from tests.integration.repositories import commit, git, project, repository, snapshot

__all__ = ["project"]


def test_a_submodule_of_the_user_is_left_alone_where_git_is_told_to_recurse(project: Path, tmp_path: Path) -> None:
    git(project, "submodule", "--quiet", "add", str(repository(tmp_path / "module")), "sub")
    commit(project)
    git(project, "config", "submodule.recurse", "true")
    before = (project / ".git" / "modules" / "sub" / "config").read_text()
    for taken in (snapshot(project), snapshot(project, committed=True)):
        assert (taken.checkout() / "sub" / "application" / "app.py").read_text() == "one = 1\n"
        assert (taken.workspace() / "sub" / "application" / "app.py").read_text() == "one = 1\n"
        assert taken.edited() == []
    assert (project / ".git" / "modules" / "sub" / "config").read_text() == before
    assert git(project, "status", "--porcelain") == ""


def test_a_commit_is_what_its_name_says_whatever_replaces_it(project: Path) -> None:
    head = git(project, "rev-parse", "HEAD")
    (project / "application" / "app.py").write_text("evil = 1\n")
    git(project, "replace", head, commit(project))
    git(project, "reset", "--quiet", "--hard", head)
    for taken in (snapshot(project, committed=True), snapshot(project, of=head)):
        assert taken.commit == head
        assert (taken.checkout() / "application" / "app.py").read_text() == "one = 1\n"
    assert snapshot(project).dirty
