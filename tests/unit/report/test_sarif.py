"""The findings of a run, for code scanning."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.report.runs import BANDIT, QUALITY, written


def test_findings_are_left_as_code_scanning_reads_them(tmp_path: Path) -> None:
    (tmp_path / "bandit.json").write_text(json.dumps(BANDIT))
    (tmp_path / "code-quality.json").write_text(json.dumps(QUALITY))
    written(tmp_path)
    log = json.loads((tmp_path / "findings.sarif").read_text())
    assert (log["version"], [run["tool"]["driver"]["name"] for run in log["runs"]]) == ("2.1.0", ["bandit", "ruff"])
    [result] = log["runs"][0]["results"]
    assert (result["ruleId"], result["level"], result["message"]["text"]) == ("B602", "error", "B602: shell")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}


def test_without_findings_a_run_without_results_closes_what_was_open(tmp_path: Path) -> None:
    written(tmp_path)
    [run] = json.loads((tmp_path / "findings.sarif").read_text())["runs"]
    assert run["results"] == []
