"""Environment variables of the shell with which Terraform cannot start."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from longshore.errors import Precondition
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.tasks.world import World
from tests.unit.sources import snapshot_of

ROOT = Path(__file__).parents[2]


def test_an_invalid_endpoint_is_reported_before_terraform_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "longshore.toml", tmp_path)
    shutil.copytree(ROOT / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "rubbish")
    environ = dict(os.environ)
    environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "none")
    infra = World(load(tmp_path, environ), "staging", Runner(environ), lambda: snapshot_of(tmp_path)).infra
    with pytest.raises(Precondition, match="Invalid endpoint: rubbish") as refused:
        infra.terraform.init()
    assert "endpoint in an AWS_* variable" in refused.value.hint
