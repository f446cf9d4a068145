"""Gates read what tools really wrote: tests/data/reports holds reports recorded from real runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from longshore.errors import GateFailed
from longshore.gates import reports

REPORTS = Path(__file__).parents[2] / "data" / "reports"
LISTED = "application/pages.py\n"


def report(name: str) -> str:
    return (REPORTS / name).read_text()


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: reports.tests(report("junit-good.xml")), id="pytest"),
        pytest.param(lambda: reports.ruff(report("ruff-good.json"), LISTED), id="ruff"),
        pytest.param(lambda: reports.layout(report("layout-good.txt")), id="layout"),
        pytest.param(lambda: reports.types(report("mypy-good.txt")), id="mypy"),
        pytest.param(lambda: reports.yaml("", LISTED), id="yamllint"),
        pytest.param(lambda: reports.dockerfile("[]"), id="hadolint"),
        pytest.param(lambda: reports.bandit(report("bandit-good.json")), id="bandit"),
    ],
)
def test_a_clean_report_says_what_was_examined(read: Callable[[], str]) -> None:
    assert read()


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: reports.tests(report("junit-bad.xml")), id="a failing test"),
        pytest.param(lambda: reports.tests(report("junit-empty.xml")), id="no test at all"),
        pytest.param(lambda: reports.tests(""), id="no report of tests"),
        pytest.param(lambda: reports.ruff(report("ruff-bad.json"), LISTED), id="ruff finds"),
        pytest.param(lambda: reports.ruff(report("ruff-good.json"), ""), id="ruff examined nothing"),
        pytest.param(lambda: reports.layout(report("layout-bad.txt")), id="layout differs"),
        pytest.param(lambda: reports.layout(report("layout-broken.txt")), id="a file that cannot be read"),
        pytest.param(lambda: reports.types(report("mypy-bad.txt")), id="mypy finds"),
        pytest.param(lambda: reports.types(""), id="mypy says nothing"),
        pytest.param(lambda: reports.yaml(report("yamllint-bad.txt"), LISTED), id="yamllint finds"),
        pytest.param(lambda: reports.yaml("", ""), id="yamllint examined nothing"),
        pytest.param(lambda: reports.dockerfile(report("hadolint-bad.json")), id="hadolint finds"),
        pytest.param(lambda: reports.dockerfile(""), id="hadolint says nothing"),
        pytest.param(lambda: reports.bandit(report("bandit-bad.json")), id="bandit finds"),
        pytest.param(lambda: reports.bandit(report("bandit-nowhere.json")), id="bandit examined nothing"),
        pytest.param(lambda: reports.bandit(""), id="bandit left no report"),
        pytest.param(lambda: reports.secrets(["{}"], "planted.txt", 5), id="the planted key was missed"),
        pytest.param(lambda: reports.withdrawn(report("pip-bad.json")), id="a withdrawn release"),
        pytest.param(lambda: reports.advisories(report("audit-bad.json")), id="a known vulnerability"),
    ],
)
def test_anything_else_keeps_the_gate_closed(read: Callable[[], object]) -> None:
    with pytest.raises(GateFailed):
        read()


def test_tests_that_cannot_be_imported_are_named_with_the_cause() -> None:
    with pytest.raises(GateFailed) as caught:
        reports.tests(report("junit-collection.xml"))
    assert caught.value.sentence == "2 of 2 tests failed"
    assert "test_x\n  ModuleNotFoundError: No module named 'nonexistent_module'" in caught.value.detail
    assert "test_y\n  SyntaxError: invalid syntax (File " in caught.value.detail


LOCK = """\
# made by hand
--index-url https://pypi.example/simple
flask==3.1.3 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
coverage[toml]==7.6 --hash=sha256:cccc  # with an extra
  colorama == 0.4.6 ; sys_platform == 'win32'
odd===1.0
requests>=2
wild==1.*
-r other.txt
-e .
tool @ https://example.com/tool.whl
-x==1
"""


def test_every_line_of_a_lock_is_a_release_or_is_told_not_to_be_understood() -> None:
    releases, unknown = reports.pinned(LOCK)
    assert releases == [
        *("flask==3.1.3", "coverage[toml]==7.6", "colorama==0.4.6 ; sys_platform == 'win32'", "odd===1.0")
    ]
    assert unknown == [
        "requests>=2",
        "wild==1.*",
        "-r other.txt",
        "-e .",
        "tool @ https://example.com/tool.whl",
        "-x==1",
    ]
    for name in ("application", "dev", "nox"):
        text = (REPORTS.parents[2] / "requirements" / f"{name}.txt").read_text()
        releases, unknown = reports.pinned(text)
        assert unknown == []
        assert len(releases) == len([line for line in text.splitlines() if "==" in line])


def test_each_run_of_the_secret_scanner_has_to_find_the_planted_key() -> None:
    planted = {"planted.txt": [{"type": "AWS Access Key", "line_number": 1}]}
    first, second = (
        {"results": planted},
        {"results": planted | {"a.py": [{"type": "AWS Access Key", "line_number": 7}]}},
    )
    assert reports.secrets([json.dumps(first), json.dumps(first)], "planted.txt", 5) == "5 files"
    for outputs in ((first, {}), ({}, first), (first, second), (second, first)):
        with pytest.raises(GateFailed):
            reports.secrets(map(json.dumps, outputs), "planted.txt", 5)


def test_a_baseline_accepts_a_finding_on_any_line_and_no_other() -> None:
    finding = {"type": "Secret Keyword", "hashed_secret": "abc", "line_number": 7}  # pragma: allowlist secret
    results = {"planted.txt": [{"type": "AWS Access Key", "line_number": 1}], "a.py": [finding]}

    def read(**changed: object) -> str:
        baseline = json.dumps({"results": {"a.py": [finding | {"line_number": 1} | changed]}})
        return reports.secrets([json.dumps({"results": results})], "planted.txt", 5, baseline)

    assert read() == read(is_secret=False) == "5 files, 1 finding accepted by .secrets.baseline"
    other_hash = {"hashed_secret": "abd"}  # pragma: allowlist secret
    for other in ({"type": "Hex High Entropy String"}, other_hash, {"is_secret": True}):
        with pytest.raises(GateFailed, match="1 possible secret"):
            read(**other)
    for text in ("[]", "{", '{"results": {"a.py": [1]}}', '{"results": {"a.py": [{}]}}'):
        with pytest.raises(GateFailed, match="no baseline"):
            reports.secrets([], "planted.txt", 5, text)


def test_two_releases_of_one_distribution_are_asked_about_apart() -> None:
    assert reports.parts(["a==1", "b-c[x]==1", "A==2 ; x", "b_c==2"]) == [["a==1", "b-c[x]==1"], ["A==2 ; x", "b_c==2"]]
    assert reports.parts([]) == []


def test_an_advisory_service_that_does_not_answer_is_not_a_clean_report() -> None:
    examined, unchecked = reports.advisories(report("audit-unreachable.json"))
    assert not examined
    assert unchecked
    examined, unchecked = reports.advisories(report("audit-good.json"))
    assert examined
    assert not unchecked


def test_releases_that_nobody_withdrew_are_counted() -> None:
    examined, unchecked = reports.withdrawn(report("pip-good.json"))
    assert examined
    assert not unchecked


def test_a_file_with_two_ugly_places_counts_once() -> None:
    said = report("layout-bad.txt")
    with pytest.raises(GateFailed, match="1 file not formatted"):
        reports.layout(said + said)


def test_the_share_of_covered_lines_is_said_where_it_was_measured() -> None:
    head = '<?xml version="1.0" ?>\n<coverage version="7" timestamp="1" lines-valid="299" '
    assert reports.covered(f'{head}line-rate="0.9866" branch-rate="0.93">') == ", 99% covered"
    assert reports.covered(f'{head}line-rate="1">') == ", 100% covered"
    assert reports.covered("") == ""
