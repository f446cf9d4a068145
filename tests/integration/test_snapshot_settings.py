"""A snapshot is the same whatever the user's git is told: settings, replacements, attributes of one clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import Precondition
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


def wished(folder: Path, *, filtered: str = "") -> None:
    """Have git in the clone FOLDER put CRLF and plain files for links into a working tree, as its owner wishes."""
    (folder.parent / "attributes").write_text("* text=auto\n")
    for key, value in {
        "core.autocrlf": "true",
        "core.eol": "crlf",
        "core.symlinks": "false",
        "core.attributesFile": str(folder.parent / "attributes"),
        "filter.spoil.smudge": "sed s/one/evil/",
        "filter.spoil.clean": "sed s/evil/one/",
    }.items():
        git(folder, "config", key, value)
    (folder / ".git" / "info" / "attributes").write_text(f"# mine\n\n{filtered}")


def test_wishes_about_a_working_tree_do_not_reach_what_is_checked_out(project: Path) -> None:
    (project / "application" / "link").symlink_to("app.py")
    (project / "application" / "run.bat").write_text("echo\n")
    (project / ".gitattributes").write_text("*.bat text eol=crlf\n")  # what is committed does
    commit(project)
    wished(project)
    (project / "application" / "app.py").write_bytes(b"two = 2\r\n")
    for committed, text in ((False, b"two = 2\n"), (True, b"one = 1\n")):
        taken = snapshot(project, committed=committed)
        for folder in (taken.checkout(), taken.workspace()):
            assert (folder / "application" / "app.py").read_bytes() == text
            assert (folder / "application" / "run.bat").read_bytes() == b"echo\r\n"
            assert (folder / "application" / "link").is_symlink()
        assert taken.edited() == []
        (taken.workspace() / "application" / "app.py").write_bytes(text.replace(b"\n", b"\r\n"))
        assert taken.edited() == ["application/app.py"]


def test_a_filter_that_git_is_told_of_in_a_commit_goes_on_to_work(project: Path) -> None:
    (project / "application" / ".gitattributes").write_text("app.py filter=spoil\n")
    commit(project)
    wished(project)
    assert (snapshot(project, committed=True).checkout() / "application" / "app.py").read_text() == "evil = 1\n"


def test_a_commit_is_not_taken_through_a_filter_that_only_this_clone_has(project: Path) -> None:
    wished(project, filtered="app.py filter=spoil\n")
    assert (snapshot(project).checkout() / "application" / "app.py").read_text() == "evil = 1\n"
    with pytest.raises(Precondition, match="attributes of this clone change what is checked out") as caught:
        snapshot(project, committed=True)
    assert str(project / ".git" / "info" / "attributes") in caught.value.hint
    (project / ".git" / "info" / "attributes").unlink()
    assert (snapshot(project, committed=True).checkout() / "application" / "app.py").read_text() == "one = 1\n"


def test_nor_through_one_of_a_submodule(project: Path, tmp_path: Path) -> None:
    git(project, "submodule", "--quiet", "add", str(repository(tmp_path / "module")), "sub")
    commit(project)
    (project / ".git" / "modules" / "sub" / "info" / "attributes").write_text("* filter=spoil\n")
    with pytest.raises(Precondition, match="attributes of this clone"):
        snapshot(project, committed=True)
