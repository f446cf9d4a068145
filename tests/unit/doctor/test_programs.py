"""The programs that a deployment to AWS needs: there, of a fit version, with their plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.doctor import programs
from tests.unit.doctor.place import INSTALLED, Programs, place, wrong


def test_programs_that_are_there_are_fine(tmp_path: Path) -> None:
    assert wrong(programs.check(place(tmp_path, runner=Programs(**INSTALLED)))) == []


@pytest.mark.parametrize(
    ("name", "printed", "what"),
    [
        ("git", None, "git"),
        ("docker", None, "docker"),
        ("terraform", None, "terraform"),
        ("terraform", '{"terraform_version": "1.10.5"}', "terraform 1.10.5"),
        ("terraform", '{"terraform_version": "2.0.0"}', "terraform 2.0.0"),
        ("kubectl", None, "kubectl"),
        ("kubectl", "not JSON", "kubectl"),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.33.0"}}', "kubectl v1.33.0"),
        ("kubectl", '{"clientVersion": {"gitVersion": "v1.37.0"}}', "kubectl v1.37.0"),
    ],
)
def test_a_missing_or_unfit_program_is_found(tmp_path: Path, name: str, printed: str | None, what: str) -> None:
    answers = {key: text for key, text in {**INSTALLED, name: printed}.items() if text is not None}
    assert what in wrong(programs.check(place(tmp_path, runner=Programs(**answers))))


def test_docker_without_its_plugin_is_found(tmp_path: Path) -> None:
    answers = {**INSTALLED, "docker_version": "28.1"}
    del answers["docker"]
    assert wrong(programs.check(place(tmp_path, runner=Programs(**answers)))) == ["docker buildx"]
