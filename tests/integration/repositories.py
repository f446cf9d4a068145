"""Real repositories of git, and what is taken of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from longshore.process.runner import Runner
from longshore.settings import load
from longshore.snapshot.snapshot import Snapshot
from longshore.snapshot.take import take

SETTINGS = '[project]\nname = "shop"\n[environments.local.local]\n'
WHO = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always")
HELD = {".dockerignore", ".gitignore", "application/app.py", "longshore.toml"}  # by `repository`


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(["git", *WHO, *argv], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, message: str = "more") -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def repository(folder: Path) -> Path:
    (folder / "application").mkdir(parents=True)
    (folder / "application" / "app.py").write_text("one = 1\n")
    (folder / "longshore.toml").write_text(SETTINGS)
    (folder / ".gitignore").write_text(".env\n")
    (folder / ".dockerignore").write_text("*\n!application\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "first")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return repository(tmp_path / "project")


def snapshot(folder: Path, *, committed: bool = False, of: str = "") -> Snapshot:
    environ = {**os.environ, "XDG_STATE_HOME": str(folder.parent), "XDG_CACHE_HOME": str(folder.parent)}
    return take(load.load(folder, environ), Runner(environ), committed=committed, commit=of)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
