"""The real scanner of secrets: it reads a file once, and again when it has changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from longshore.errors import GateFailed
from longshore.runner import Runner
from longshore.settings import load
from longshore.steps import fingerprint
from longshore.steps.checks import Gates

ROOT = Path(__file__).parents[2]
KEY = "AKIA" + "QYLPMN5HHHFPZAM2"


class Reading(Runner):
    """A runner that keeps which files the scanner was given."""

    given: tuple[str, ...] = ()

    def run(self, command, **options):  # type: ignore[no-untyped-def]
        if "detect_secrets.pre_commit_hook" in command.argv:
            self.given = command.argv[4:-1]
        return super().run(command, **options)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "longshore.toml").write_text((ROOT / "longshore.toml").read_text())
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".git" / "info" / "exclude").write_text(".longshore/\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scan(project: Path, environ: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    fingerprint._tree.cache_clear()  # each command is a process of its own
    runner = Reading(environ)
    return Gates(load(project, environ), runner).secrets(lambda *words: None), runner.given


def test_a_file_is_read_once_and_again_when_it_changes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = dict(os.environ)
    assert scan(project, environ) == ("3 files", ("a.py", "b.py", "longshore.toml"))
    assert scan(project, environ) == ("3 files", ())
    (project / "b.py").write_text(f"key = '{KEY}'\n")
    for _ in range(2):
        with pytest.raises(GateFailed) as refused:
            scan(project, environ)
        assert "b.py:1: AWS Access Key" in refused.value.detail
    (project / "b.py").write_text("x = 2\n")
    assert scan(project, environ) == ("3 files", ("b.py",))


def test_a_file_under_another_name_is_read_again(project: Path) -> None:
    environ = dict(os.environ)
    scan(project, environ)
    (project / "a.py").rename(project / "c.py")
    assert scan(project, environ)[1] == ("c.py",)
