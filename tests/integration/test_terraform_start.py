"""A Terraform that cannot begin, for a reason of the shell that started it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from longshore.errors import Precondition
from longshore.runner import Runner
from longshore.settings import load
from longshore.tasks.world import World

ROOT = Path(__file__).parents[2]


def test_an_address_that_is_none_is_told_with_what_terraform_needs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "longshore.toml", tmp_path)
    shutil.copytree(ROOT / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    environ = dict(os.environ) | {"AWS_ENDPOINT_URL": "rubbish"}
    environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "none")
    infra = World(load(tmp_path, environ), "staging", Runner(environ)).infra
    with pytest.raises(Precondition, match="Terraform cannot be initialised") as refused:
        infra.init()
    assert "AWS_* variables" in refused.value.hint
    assert "unsupported protocol scheme" in refused.value.detail  # Terraform's words for it
