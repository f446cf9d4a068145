"""Each group of gates in each of its modes, run for real in a small project: passes, fails, hangs, is missing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gated import SETTINGS, git, invoke, project, settings

__all__ = ["project"]

GROUPS = ("lint", "test", "scan")
# What our checks find, each in one file; the rest of the project is as it should be.
MISTAKES = {
    "lint": ("app.py", "import os\n"),
    "test": ("app.py", "ONE = 2\n"),
    "scan": ("app.py", "ONE = eval(input())\n"),
}


def report(project: Path) -> dict[str, Any]:
    return dict(json.loads((project / ".longshore/report/report.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("group", GROUPS)
def test_ours_passes_and_fails(project: Path, group: str) -> None:
    code, document, _ = invoke(project, group, "--keep-going")
    assert (code, document["off"]) == (0, {})
    name, text = MISTAKES[group]
    (project / name).write_text(text, encoding="utf-8")
    code, document, said = invoke(project, group)
    assert code == 5, said
    assert document["error"]


@pytest.mark.parametrize("group", GROUPS)
def test_theirs_passes_fails_hangs_and_is_missing(project: Path, group: str) -> None:
    script = 'test ! -e mistake || { echo "found a mistake"; exit 3; }; echo all 7 fine'
    settings(project, f'[gates.{group}]\nrun = ["sh", "-c", {script!r}]\n')
    code, document, said = invoke(project, group)
    assert (code, [*document["ran"]]) == (0, [f"{group}-command"]), said
    assert "all 7 fine" in said
    assert report(project)["steps"][0]["reason"] == "all 7 fine"
    assert invoke(project, group)[1]["ran"] == {}, "nothing has changed"

    (project / "mistake").touch()
    code, document, said = invoke(project, group)
    assert (code, document["step"]) == (5, f"{group}-command")
    assert "sh failed with exit code 3" in document["error"]
    assert "found a mistake" in said

    settings(project, f'[gates.{group}]\nrun = ["sleep", "600"]\ndeadline = 1\n')
    code, document, _ = invoke(project, group)
    assert (code, document["error"]) == (5, "sleep exceeded its deadline of 1 s")

    settings(project, f'[gates.{group}]\nrun = ["jusst", "{group}"]\n')
    code, document, _ = invoke(project, group)
    assert (code, document["error"]) == (3, "jusst is not installed or not on the PATH")
    assert f"[gates.{group}]" in document["hint"]

    settings(project, f'[gates.{group}]\nrun = ["./look.sh"]\n')
    code, document, _ = invoke(project, group)
    assert (code, document["error"]) == (3, "./look.sh is no program among the sources")


@pytest.mark.parametrize("group", GROUPS)
def test_off_runs_nothing_and_says_why(project: Path, group: str) -> None:
    name, text = MISTAKES[group]
    (project / name).write_text(text, encoding="utf-8")
    settings(project, f'[gates.{group}]\noff = "another team looks"\n')
    code, document, said = invoke(project, group)
    assert (code, document["ran"], document["off"]) == (0, {}, {group: "another team looks"})
    assert f"{group} is off: another team looks" in said
    assert "unchanged" not in said
    assert report(project)["off"] == {group: "another team looks"}
    for page in ("index.html", "report.md"):
        assert "another team looks" in (project / ".longshore/report" / page).read_text(encoding="utf-8")
    for words in ((group, "--dry-run"), ("explain", group, "-e", "blue"), ("graph", "-e", "blue")):
        assert invoke(project, *words)[1]["off"] == {group: "another team looks"}, words


def test_a_check_of_everything_says_what_it_left_out(project: Path) -> None:
    rest = "".join(f'[gates.{group}]\nrun = ["true"]\n' for group in ("lint", "test"))
    settings(project, f'{rest}[gates.scan]\noff = "another team looks"\n')
    code, document, said = invoke(project, "check")
    assert (code, set(document["ran"])) == (0, {"lint-command", "test-command"})
    assert "scan is off: another team looks" in said
    assert report(project)["off"] == {"scan": "another team looks"}


def test_theirs_sees_the_sources_as_a_repository_of_their_own(project: Path) -> None:
    (project / ".gitignore").write_text("ignored.py\n", encoding="utf-8")
    (project / "ignored.py").write_text("import os\n", encoding="utf-8")
    (project / "new.py").write_text("import os\n", encoding="utf-8")
    (project / "list.sh").write_text(
        "#!/bin/sh\ngit rev-parse --show-toplevel HEAD && git ls-files && git diff --exit-code\n", encoding="utf-8"
    )
    (project / "list.sh").chmod(0o755)
    before = (project / ".git/index").read_bytes()
    settings(project, '[gates.lint]\nrun = ["sh", "-c", "./list.sh > out/list.txt"]\nreports = ["out/list.txt"]\n')
    (project / "out").mkdir()
    (project / "out/.keep").touch()
    code, _, said = invoke(project, "lint")
    assert code == 0, said
    top, head, *files = (project / "out/list.txt").read_text(encoding="utf-8").splitlines()
    assert Path(top) == project / ".longshore/snapshot/gates-0"
    assert head == subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=project, text=True).strip()
    assert {"new.py", "app.py", "list.sh"} <= set(files)
    assert "ignored.py" not in files
    assert (project / ".git/index").read_bytes() == before
    settings(project, '[gates.lint]\nrun = ["./list.sh"]\n')
    assert invoke(project, "lint")[0] == 0


@pytest.mark.parametrize("group", GROUPS)
def test_theirs_that_rewrites_what_it_examines_is_no_check_of_it(project: Path, group: str) -> None:
    settings(project, f'[gates.{group}]\nrun = ["sed", "-i", "s/ONE/TWO/", "app.py"]\n')
    for _ in range(2):  # the next run starts from the sources again
        code, document, _ = invoke(project, group)
        assert (code, document["error"]) == (5, "sed changed app.py, so what it found is not about the sources")
    assert (project / "app.py").read_text(encoding="utf-8") == "ONE = 1\n"


def test_a_report_comes_out_of_the_cache_and_none_of_an_earlier_run_stands_for_it(project: Path) -> None:
    (project / "seen.txt").write_text("what somebody committed\n", encoding="utf-8")
    copies = 'run = ["sh", "-c", "cp app.py seen.txt"]\nreads = ["app.py"]\nreports = ["seen.txt"]\n'
    settings(project, f"[gates.test]\n{copies}")
    assert invoke(project, "test")[0] == 0
    (project / "seen.txt").unlink()
    assert invoke(project, "test")[1]["ran"] == {}
    assert (project / "seen.txt").read_text(encoding="utf-8") == "ONE = 1\n"
    settings(project, '[gates.test]\nrun = ["false"]\nreports = ["seen.txt"]\n')
    assert invoke(project, "test")[0] == 5
    assert not (project / "seen.txt").exists()


@pytest.mark.parametrize(
    ("group", "gone", "code", "said"),
    [
        ("test", "tests/unit/test_app.py", 2, "paths under [gates.tests.unit] names tests/unit, which"),
        ("scan", "pyproject.toml", 0, ""),
        ("lint", "k8s/a.yaml", 0, ""),
    ],
)
def test_a_missing_file_is_a_sentence(project: Path, group: str, gone: str, code: int, said: str) -> None:
    git(project, "rm", "-q", gone)
    found, document, heard = invoke(project, group)
    assert found == code, heard
    assert said in document.get("error", "")
    assert not code or document["hint"]


def test_a_lock_that_the_settings_name_has_to_be_there(project: Path) -> None:
    named = SETTINGS.replace('path = "."', 'path = "."\nrequirements = "locks/web.txt"')
    (project / "longshore.toml").write_text(named, encoding="utf-8")
    code, document, _ = invoke(project, "scan")
    assert code == 2
    assert "requirements under [application] is locks/web.txt, which the sources do not have" in document["error"]


def test_an_application_without_a_lock_is_not_said_to_be_examined(project: Path) -> None:
    git(project, "rm", "-q", "requirements/application.txt")
    code, _, heard = invoke(project, "scan")
    assert code == 0, heard
    assert "NOT CHECKED: the sources have no lock" in heard
    settings(project, '[gates]\ndependencies = "required"\n')
    code, document, _ = invoke(project, "scan")
    assert (code, document["error"]) == (5, "dependencies were not checked: the sources have no lock")


def test_of_two_locks_neither_is_said_to_be_missing(project: Path) -> None:
    git(project, "rm", "-q", "requirements/application.txt")
    for name in ("api", "jobs"):
        (project / name).mkdir()
        (project / name / "requirements.txt").write_text("flask==3.1.2\n", encoding="utf-8")
    code, _, heard = invoke(project, "scan")
    assert code == 0, heard
    said = "only `requirements` under [application] can say whether it is api/requirements.txt or jobs/requirements.txt"
    assert f"NOT CHECKED: {said}" in " ".join(heard.split())
