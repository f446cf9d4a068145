"""What a run acts on, taken with the real git from real repositories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from longshore.errors import Precondition
from tests.integration.repositories import HELD, SETTINGS, commit, files, git, project, repository, snapshot

__all__ = ["project"]


def test_a_clean_checkout_is_its_commit(project: Path) -> None:
    taken = snapshot(project)
    head = git(project, "rev-parse", "HEAD")
    assert (taken.commit, taken.revision, taken.dirty) == (head, head[:12], False)
    assert set(taken.entries) == files(taken.checkout()) == HELD


def test_what_is_on_disk_counts_and_what_git_ignores_does_not(project: Path) -> None:
    (project / "application" / "app.py").write_text("two = 2\n")
    (project / "application" / "new.py").write_text("")
    (project / "application" / ".env").write_text("PASSWORD=swordfish\n")
    taken = snapshot(project)
    assert taken.dirty
    assert taken.revision.startswith(f"{taken.commit[:12]}-dirty-")
    assert "application/new.py" in taken.entries
    assert "application/.env" not in taken.entries
    assert "application/.env" not in files(taken.checkout())
    assert (taken.checkout() / "application" / "app.py").read_text() == "two = 2\n"


def test_an_edit_after_the_snapshot_belongs_to_the_next_run(project: Path) -> None:
    taken = snapshot(project)
    (project / "application" / "app.py").write_text("three = 3\n")
    assert (taken.checkout() / "application" / "app.py").read_text() == "one = 1\n"
    assert (taken.workspace() / "application" / "app.py").read_text() == "one = 1\n"
    assert snapshot(project).entries != taken.entries


def test_an_edit_of_the_same_length_in_the_same_moment_is_seen(project: Path) -> None:
    for text in ("aaa\n", "bbb\n", "ccc\n", "ddd\n"):
        (project / "application" / "app.py").write_text(text)
        assert (snapshot(project).checkout() / "application" / "app.py").read_text() == text


def test_work_that_is_not_deployed_does_not_make_another_revision(project: Path) -> None:
    (project / "notes.txt").write_text("x")
    taken = snapshot(project)
    assert not taken.dirty
    assert "notes.txt" in taken.entries


def test_work_that_enters_the_image_is_another_revision_wherever_it_lies(project: Path) -> None:
    (project / ".dockerignore").unlink()
    commit(project)
    (project / "config.py").write_text("DEBUG = True\n")
    assert snapshot(project).dirty


def test_virtualenvs_are_no_sources_even_where_git_does_not_ignore_them(project: Path) -> None:
    for name in (".venv/lib/a.py", "sub/.nox/tests/b.py", ".longshore/c.py", ".tox/d.py"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("x = 1\n")
    assert not [name for name in snapshot(project).entries if name.endswith(".py") and "app.py" not in name]


def test_what_a_file_held_is_told_after_it_was_edited(project: Path) -> None:
    taken = snapshot(project)
    (project / "application" / "app.py").write_text("two = 2\n")
    assert taken.read("application/app.py") == b"one = 1\n"
    assert snapshot(project).read("application/app.py") == b"two = 2\n"


def test_the_same_work_has_the_same_revision_whatever_else_changed(project: Path) -> None:
    (project / "application" / "app.py").write_text("two = 2\n")
    first = snapshot(project).revision
    (project / "notes.txt").write_text("x")
    assert snapshot(project).revision == first
    (project / "application" / "app.py").write_text("three = 3\n")
    assert snapshot(project).revision != first


def test_a_committed_snapshot_is_the_commit_whatever_lies_in_the_working_tree(project: Path) -> None:
    (project / "application" / "app.py").write_text("two = 2\n")
    git(project, "add", "--all")
    (project / "application" / "new.py").write_text("")
    taken = snapshot(project, committed=True)
    assert not taken.dirty
    assert "application/new.py" not in taken.entries
    assert (taken.checkout() / "application" / "app.py").read_text() == "one = 1\n"


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_git_may_have_been_told_to_look_away(project: Path, flag: str) -> None:
    git(project, "update-index", flag, "application/app.py")
    (project / "application" / "app.py").write_text("hidden = 1\n")
    assert snapshot(project).dirty
    assert (snapshot(project).checkout() / "application" / "app.py").read_text() == "hidden = 1\n"
    committed = snapshot(project, committed=True)
    assert (committed.checkout() / "application" / "app.py").read_text() == "one = 1\n"
    assert git(project, "ls-files", "-v", "application").split()[0] in {"S", "h"}  # the user's index is as it was


def test_a_sparse_checkout_releases_what_it_leaves_out(project: Path) -> None:
    (project / "docs").mkdir()
    (project / "docs" / "a.md").write_text("a")
    commit(project)
    git(project, "sparse-checkout", "set", "--no-cone", "/application/", "/longshore.toml", "/.gitignore")
    assert not (project / "docs").exists()
    taken = snapshot(project)
    assert not taken.dirty
    assert "docs/a.md" in files(taken.checkout())


def test_files_of_every_name_and_kind_are_in_it(project: Path) -> None:
    strange = ["with space.py", "line\nbreak.py", "grüße.py", "-notes.txt", 'quo"te.py', "back\\slash.py", "tab\t.py"]
    for name in strange:
        (project / "application" / name).write_text(name)
    raw = os.fsencode(project / "application") + b"/latin-\xe9.py"
    with open(raw, "wb") as stream:
        stream.write(b"x")
    (project / "application" / "link").symlink_to("app.py")
    os.symlink(b"nowhere-\xff", os.fsencode(project / "application" / "broken"))
    (project / "application" / "run.sh").write_text("#!/bin/sh\n")
    (project / "application" / "run.sh").chmod(0o700)
    for taken in (snapshot(project), snapshot(project)):
        expected = {
            f"application/{name}" for name in (*strange, "link", "broken", "run.sh", os.fsdecode(b"latin-\xe9.py"))
        }
        assert expected <= set(taken.entries)
        folder = taken.checkout()
        assert expected <= files(folder)
        assert os.readlink(folder / "application" / "link") == "app.py"
        assert os.access(folder / "application" / "run.sh", os.X_OK)
    commit(project)
    assert not snapshot(project).dirty


def test_modes_are_gits_whatever_the_umask_was(project: Path, tmp_path: Path) -> None:
    for mask in (0o000, 0o077, 0o022):
        clone = tmp_path / f"clone-{mask:o}"
        subprocess.run(["sh", "-c", f'umask {mask:o}; git clone -q "$0" "$1"', project, clone], check=True)
        taken = snapshot(clone)
        assert taken.entries == snapshot(project).entries
        folder = taken.checkout()
        assert (folder / "application").stat().st_mode & 0o777 == 0o755
        assert (folder / "application" / "app.py").stat().st_mode & 0o777 == 0o644


def test_a_worktree_a_shallow_clone_and_a_path_with_spaces_give_the_same(project: Path, tmp_path: Path) -> None:
    commit(project, "second")
    git(project, "worktree", "add", "--quiet", str(tmp_path / "a worktree"), "--detach")
    git(tmp_path, "clone", "--quiet", "--depth=1", project.as_uri(), "a shallow clone")
    wanted = snapshot(project)
    for folder in (tmp_path / "a worktree", tmp_path / "a shallow clone"):
        taken = snapshot(folder)
        assert (taken.revision, taken.entries) == (wanted.revision, wanted.entries)
        assert files(taken.checkout()) == set(wanted.entries)


def test_a_project_may_be_a_folder_of_its_repository(tmp_path: Path) -> None:
    top = tmp_path / "top"
    project = repository(top / "services" / "shop")
    (top / "services" / "shop" / ".git").rename(top / ".git")
    (top / "other.txt").write_text("x")
    commit(top)
    (project / "application" / "new.py").write_text("")
    (top / "another.txt").write_text("x")
    taken = snapshot(project)
    assert taken.dirty
    assert files(taken.checkout()) == HELD | {"application/new.py"}
    commit(top)
    assert not snapshot(project).dirty


def test_submodules_are_in_it_with_what_is_edited_in_them(project: Path, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    git(project, "submodule", "--quiet", "add", str(library), "application/library")
    head = commit(project)
    taken = snapshot(project)
    assert (taken.commit, taken.dirty) == (head, False)
    assert "application/library/application/app.py" in files(taken.checkout())
    (project / "application" / "library" / "application" / "app.py").write_text("edited = 1\n")
    edited = snapshot(project)
    assert edited.dirty
    assert (edited.checkout() / "application/library/application/app.py").read_text() == "edited = 1\n"
    committed = snapshot(project, committed=True)
    assert (committed.checkout() / "application/library/application/app.py").read_text() == "one = 1\n"


def test_a_pointer_of_lfs_stays_what_git_has(project: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    (project / "application" / "model.bin").write_text(pointer)
    (project / ".gitattributes").write_text("*.bin filter=lfs -text\n")
    commit(project)
    taken = snapshot(project)
    assert not taken.dirty
    assert (taken.checkout() / "application" / "model.bin").read_text() == pointer


def test_two_runs_at_once_have_folders_of_their_own(project: Path) -> None:
    first = snapshot(project)
    folder = first.workspace()
    (project / "application" / "app.py").write_text("two = 2\n")
    second = snapshot(project)
    assert second.workspace() != folder
    assert (folder / "application" / "app.py").read_text() == "one = 1\n"


def test_a_folder_is_brought_up_to_date_and_holds_nothing_else(project: Path) -> None:
    folder = snapshot(project).checkout()
    times = (folder / "longshore.toml").stat().st_mtime_ns
    (folder / "application" / "left.py").write_text("by a tool")
    (folder / "application" / "app.py").write_text("spoilt")
    (project / "application" / "app.py").write_text("two = 2\n")
    (project / "application" / "second.py").write_text("")
    again = snapshot(project).checkout()
    assert again == folder
    assert files(again) == HELD | {"application/second.py"}
    assert (again / "application" / "app.py").read_text() == "two = 2\n"
    assert (again / "longshore.toml").stat().st_mtime_ns == times


def test_what_is_longshores_own_is_never_part_of_it(project: Path) -> None:
    snapshot(project).workspace()
    assert not [name for name in snapshot(project).entries if name.startswith(".longshore")]


def test_a_snapshot_leaves_the_repository_as_it_is(project: Path) -> None:
    (project / "application" / "app.py").write_text("two = 2\n")
    (project / "new.txt").write_text("")
    before = git(project, "status", "--porcelain"), git(project, "count-objects")
    snapshot(project).checkout()
    assert (git(project, "status", "--porcelain"), git(project, "count-objects")) == before


def test_a_repository_whose_objects_have_long_names_is_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "--quiet", "--object-format=sha256")
    repository(folder)
    taken = snapshot(folder)
    assert (len(taken.commit), taken.dirty) == (64, False)
    assert set(taken.entries) == files(taken.checkout()) == HELD
    (folder / "application" / "app.py").write_text("two = 2\n")
    assert taken.text("application/app.py") == "one = 1\n"
    assert snapshot(folder).text("application/app.py") == "two = 2\n"
    assert snapshot(folder).dirty
    assert snapshot(folder, committed=True).commit == taken.commit


def test_what_git_cannot_read_gets_a_sentence(tmp_path: Path, project: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    (nothing / "longshore.toml").write_text(SETTINGS)
    with pytest.raises(Precondition, match="git cannot read this folder") as caught:
        snapshot(nothing)
    assert "not a git repository" in caught.value.detail
    assert "git init" in caught.value.hint
    git(nothing, "init", "--quiet")
    with pytest.raises(Precondition, match="no commit yet"):
        snapshot(nothing)
    bare = tmp_path / "bare"
    git(tmp_path, "clone", "--quiet", "--bare", str(project), str(bare))
    (bare / "longshore.toml").write_text(SETTINGS)
    with pytest.raises(Precondition, match="bare"):
        snapshot(bare)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_somebody_else_is_refused_in_gits_own_words(project: Path) -> None:
    subprocess.run(["chown", "-R", "65534", str(project)], check=True)
    with pytest.raises(Precondition, match="git cannot read this folder") as caught:
        snapshot(project)
    assert "safe.directory" in caught.value.detail
