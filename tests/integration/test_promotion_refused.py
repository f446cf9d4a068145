"""What `invoke promote` refuses before anybody is asked, with a sentence, a hint and the right exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = """
[project]
name = "shop"
[environments.local.local]
[environments.staging]
account = "111111111111"
[environments.production]
account = "222222222222"
protected = true
"""
ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")
TO = ("-e", "production")


def git(folder: Path, *argv: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *argv], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was pushed, whose settings were changed afterwards; staging handed on its first commit."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    (folder / "application").mkdir()
    (folder / "application" / "app.py").write_text("one = 1\n")
    (folder / "Dockerfile").touch()
    (folder / "tasks.py").write_text("from longshore.tasks import collection\n\nns = collection()\n")
    (folder / ".gitignore").write_text("origin.git/\n")
    (folder / "longshore.toml").write_text(SETTINGS)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", str(folder / "origin.git"))
    for text in (SETTINGS, f"{SETTINGS}prove = 30\n"):
        (folder / "longshore.toml").write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "-q", "-m", "work")
    git(folder, "push", "-q", "origin", "main")
    return folder


def hand_on(project: Path, environment: str, **facts: Any) -> None:
    record = {
        "environment": environment,
        "number": 1,
        "repository": "111111111111.dkr.ecr.eu-central-1.amazonaws.com/shop/app",
        "digest": ONE,
        "revision": git(project, "rev-parse", "--short=12", "HEAD"),
        "tag": "1" * 16,
    }
    file = project / ".longshore" / "environments" / environment / "verified.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record | facts))


def promote(project: Path, *words: str) -> tuple[int, str, str]:
    """Run `invoke promote WORDS`; return its exit code, sentence and hint."""
    aws = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    env = os.environ | aws | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(project.parent / "state")}
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "promote", *words, "--json"],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    document = json.loads(done.stdout)
    return done.returncode, document["error"], document["hint"]


@pytest.mark.parametrize(
    ("words", "sentence", "hint"),
    [
        (("--from", "production", *TO), "production runs what it verified", "--from is another environment than -e"),
        (("--from", "stagin", *TO), "longshore.toml has no environment called 'stagin'", "did you mean 'staging'?"),
        (("--from", "staging", "-e", "live"), "longshore.toml has no environment called 'live'", "it has: local"),
        (("--from", "staging", *TO, "--digest", "sha256:12"), "'sha256:12' is no digest", "64 digits"),
    ],
)
def test_what_was_typed_wrong_is_bad_input(project: Path, words: tuple[str, ...], sentence: str, hint: str) -> None:
    code, said, advice = promote(project, *words)
    assert (code, said) == (2, sentence)
    assert hint in advice


def test_an_environment_that_is_not_running_verified_nothing_yet(project: Path) -> None:
    assert promote(project, "--from", "local", *TO)[:2] == (3, "the environment local is not running")


def test_without_a_record_nothing_was_handed_on(project: Path) -> None:
    (project / ".longshore" / "environments" / "staging" / "verified.json").unlink(missing_ok=True)
    code, said, hint = promote(project, "--from", "staging", *TO, "--from-job")
    assert (code, said) == (3, "no release of staging was handed on to this run")
    assert "leave it out" in hint


@pytest.mark.parametrize(
    ("environment", "facts", "more", "sentence"),
    [
        ("staging", {}, ("--digest", TWO), f"staging handed on {ONE}, and not {TWO}"),
        ("staging", {"revision": "123456789abc-dirty-12345678"}, (), "staging runs uncommitted work"),
        ("staging", {"revision": "123456789abc"}, (), "this repository has no commit 123456789abc"),
        ("staging", {"repository": "evil.example/shop/app"}, (), "the repository of what staging verified is"),
        ("local", {}, (), "local is on this machine and production is not"),
    ],
)
def test_what_cannot_be_promoted_is_a_missing_precondition(
    project: Path, environment: str, facts: dict[str, str], more: tuple[str, ...], sentence: str
) -> None:
    hand_on(project, environment, **facts)
    code, said, hint = promote(project, "--from", environment, *TO, "--from-job", *more)
    assert code == 3
    assert said.startswith(sentence)
    assert hint


def test_settings_that_are_not_the_commits_own_are_refused(project: Path) -> None:
    first = git(project, "rev-parse", "--short=12", "HEAD~1")
    hand_on(project, "staging", revision=first)
    code, said, hint = promote(project, "--from", "staging", *TO, "--from-job")
    assert f"have it as {first} does" in hint
    assert (code, said) == (3, "longshore.toml differs from the commit, and production is protected")
