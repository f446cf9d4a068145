"""The files for a pipeline of two environments, by the providers' own schemas. The project's own has one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from longshore.pipeline import files
from longshore.settings import load

ROOT = Path(__file__).parents[2]
SCHEMAS = {".gitlab-ci.yml": "vendor.gitlab-ci", ".github/workflows/longshore.yml": "vendor.github-workflows"}
OPTIONS = {".gitlab-ci.yml": ["--data-transform", "gitlab-ci"], ".github/workflows/longshore.yml": []}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_accepts_the_file(name: str, tmp_path: Path) -> None:
    settings = load.load(ROOT, {})
    two = replace(settings, pipeline=replace(settings.pipeline, environments=("staging", "production")))
    (written := tmp_path / Path(name).name).write_text(files.rendered(two)[name])
    assert "image.promote --from staging -e production" in written.read_text()
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name], *OPTIONS[name], written],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "ok -- validation done\n"), done.stdout
