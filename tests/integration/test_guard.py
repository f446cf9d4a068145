"""Who may change a protected environment, decided with the real git; AWS is not asked before that."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Literal

import pytest

from longshore.errors import Precondition
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.snapshot.take import take
from longshore.tasks.world import World

WHO = ("-c", "user.name=a", "-c", "user.email=a@example.com")
SETTINGS = '[project]\nname = "shop"\n[environments.production]\naccount = "222222222222"\nprotected = true\n'


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(["git", *WHO, *argv], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "server")
    git(tmp_path, "clone", "--quiet", "server", "clone")
    folder = tmp_path / "clone"
    (folder / "longshore.toml").write_text(SETTINGS)
    (folder / "application").mkdir()
    (folder / "application" / "app.py").write_text("one = 1\n")
    git(folder, "checkout", "--quiet", "-B", "main")
    commit(folder)
    git(folder, "push", "--quiet", "origin", "main")
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "more")


def refusal(folder: Path, act: Literal["of the branch", "any"] = "of the branch", **environ: str) -> str:
    """What the guard says; an empty text where it goes on to ask AWS, which these variables lead nowhere."""
    aws = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    variables = {**os.environ, **aws, "XDG_STATE_HOME": str(folder.parent / "state"), **environ}
    settings, runner = load(folder, variables), Runner(variables)
    committed = settings.environment("production").protected
    world = World(settings, "production", runner, lambda: take(settings, runner, committed=committed))
    with pytest.raises(Precondition) as caught:
        world.guard(commit=act)
    sentence = caught.value.sentence
    return "" if sentence.startswith("AWS cannot be reached") else sentence


def test_what_the_branch_of_the_remote_has_may_be_deployed(clone: Path) -> None:
    assert refusal(clone) == ""


def test_what_is_not_pushed_may_not_whatever_variables_and_local_refs_say(clone: Path) -> None:
    (clone / "application" / "app.py").write_text("two = 2\n")
    commit(clone)
    head = git(clone, "rev-parse", "HEAD")
    git(clone, "update-ref", "refs/remotes/origin/main", head)
    said = refusal(clone, CI="true", CI_COMMIT_SHA=head, CI_COMMIT_REF_PROTECTED="true")
    assert said == f"production is protected and the commit {head[:12]} is not on the branch main of origin"


def test_uncommitted_work_is_no_reason_to_refuse_since_it_is_left_out(clone: Path) -> None:
    (clone / "application" / "app.py").write_text("two = 2\n")
    assert refusal(clone) == ""


def test_protection_cannot_be_edited_away(clone: Path) -> None:
    (clone / "longshore.toml").write_text(SETTINGS.replace("protected = true\n", ""))
    assert refusal(clone) == "longshore.toml differs from the commit, and production is protected"


def test_a_protected_environments_settings_are_the_commits(clone: Path) -> None:
    (clone / "longshore.toml").write_text(SETTINGS + 'approve = "auto"\n')
    assert refusal(clone) == "longshore.toml differs from the commit, and production is protected"
    commit(clone)
    assert "is not on the branch main" in refusal(clone)
    git(clone, "push", "--quiet", "origin", "main")
    assert refusal(clone) == ""


UNPROTECTED = SETTINGS.replace("protected = true\n", "")


def test_a_commit_that_git_cannot_read_is_not_one_without_settings(clone: Path) -> None:
    (clone / "longshore.toml").write_text(UNPROTECTED)
    blob = git(clone, "rev-parse", "HEAD:longshore.toml")
    (clone / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert refusal(clone).startswith("git cannot say what longshore.toml holds at")


def test_settings_of_a_commit_that_nobody_can_read_may_protect(clone: Path) -> None:
    (clone / "longshore.toml").write_text(SETTINGS + "[oops\n")
    commit(clone)
    (clone / "longshore.toml").write_text(UNPROTECTED)
    said = "longshore.toml differs from the commit, whose own is not valid: it may protect production"
    assert refusal(clone) == said


def test_settings_that_the_commit_does_not_have_at_all_protect_nothing_else(clone: Path) -> None:
    git(clone, "rm", "--quiet", "longshore.toml")
    commit(clone)
    git(clone, "push", "--quiet", "origin", "main")
    (clone / "longshore.toml").write_text(UNPROTECTED)
    assert refusal(clone) == ""


TAKEN_AWAY = "production is protected on main of origin, and longshore.toml here does not say so"


def takes_away(folder: Path) -> None:
    (folder / "longshore.toml").write_text(UNPROTECTED)
    commit(folder)


def test_a_commit_that_nobody_has_pushed_takes_no_protection_away(clone: Path) -> None:
    takes_away(clone)
    assert refusal(clone) == TAKEN_AWAY
    assert refusal(clone, act="any") == TAKEN_AWAY
    git(clone, "push", "--quiet", "origin", "main")
    assert refusal(clone) == ""


def test_the_branch_is_asked_where_this_clone_has_not_seen_its_tip(clone: Path, tmp_path: Path) -> None:
    """It is below the top of its repository, and the tip's files are fetched one by one, where the server can."""
    for server, filters in (("server", "false"), ("server", "true")):
        git(tmp_path / server, "config", "uploadpack.allowFilter", filters)
        (clone / "shop").mkdir(exist_ok=True)
        (clone / "shop" / "longshore.toml").write_text(UNPROTECTED)
        commit(clone)
        git(clone, "push", "--quiet", "origin", "main")
        git(tmp_path, "clone", "--quiet", (tmp_path / server).as_uri(), f"other-{filters}")
        (clone / "shop" / "longshore.toml").write_text(SETTINGS)
        commit(clone)
        git(clone, "push", "--quiet", "origin", "main")
        other = tmp_path / f"other-{filters}"
        assert refusal(other / "shop") == TAKEN_AWAY
        (clone / "shop" / "longshore.toml").unlink()
        commit(clone)
        git(clone, "push", "--quiet", "origin", "main")
        assert refusal(other / "shop") == "", "the tip has no settings"
        assert git(other, "status", "--porcelain") == ""


@pytest.mark.parametrize("settings", ["[oops", '[environments]\nproduction = "x"\n', "environments = 1\n"])
def test_settings_of_the_tip_that_say_nothing_protect_nothing(clone: Path, settings: str) -> None:
    (clone / "longshore.toml").write_text(settings)
    commit(clone)
    git(clone, "push", "--quiet", "origin", "main")
    takes_away(clone)
    assert refusal(clone) == ""


def test_a_repository_without_that_remote_or_branch_asks_nobody(clone: Path) -> None:
    (clone / "longshore.toml").write_text(UNPROTECTED + 'branch = "other"\n')
    commit(clone)
    assert refusal(clone) == ""
    takes_away(clone)
    git(clone, "remote", "remove", "origin")
    assert refusal(clone) == ""


def test_a_remote_that_does_not_answer_may_protect(clone: Path) -> None:
    takes_away(clone)
    git(clone, "remote", "set-url", "origin", "/nowhere")
    assert refusal(clone) == "the remote origin does not say which commits it has"


def test_the_way_back_needs_no_answer(clone: Path) -> None:
    takes_away(clone)
    git(clone, "remote", "set-url", "origin", "/nowhere")
    assert refusal(clone, act="none") == ""


def test_an_environment_on_this_machine_is_nobody_elses(clone: Path) -> None:
    (clone / "longshore.toml").write_text(UNPROTECTED + "local = {}\n")
    commit(clone)
    git(clone, "remote", "set-url", "origin", "/nowhere")
    assert refusal(clone) == ""
