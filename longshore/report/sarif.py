"""The findings in the form that GitHub's code scanning reads: SARIF 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0)."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable

from longshore.report.document import Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"high": "error", "medium": "warning", "low": "note"}
RULE = re.compile(r"([A-Z]+\d+): ")


def render(findings: Iterable[Finding]) -> str:
    """Return the text of a SARIF log of FINDINGS; without any, of an empty run, which closes what GitHub had open."""
    by_tool = itertools.groupby(sorted(findings, key=lambda each: each.tool), key=lambda each: each.tool)
    runs = [_run(tool, list(group)) for tool, group in by_tool] or [_run("longshore", [])]
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}, indent=1)


def _run(tool: str, findings: list[Finding]) -> dict[str, object]:
    return {"tool": {"driver": {"name": tool}}, "results": [_result(finding) for finding in findings]}


def _result(finding: Finding) -> dict[str, object]:
    rule = RULE.match(finding.text)
    place = {"artifactLocation": {"uri": finding.file}, "region": {"startLine": max(finding.line, 1)}}
    return {
        "ruleId": rule[1] if rule else finding.tool,
        "level": LEVELS[finding.severity],
        "message": {"text": finding.text},
        "locations": [{"physicalLocation": place}],
    }
