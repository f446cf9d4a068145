"""What a tool's report has to say before a gate opens: what was examined, and that it was clean.

Every function takes what a tool wrote, returns a few words about what was examined, and raises GateFailed otherwise. An exit code is
never enough: bandit, ruff, detect-secrets and pip-audit all end with 0 when they looked at nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from longshore.errors import GateFailed

SHOWN = 20  # findings


def tests(junit: str) -> str:
    """Read a JUnit report: at least one test, and none that failed."""
    from xml.etree import ElementTree  # nosec B405 - our own pytest wrote it a second ago

    try:
        suites = ElementTree.fromstring(junit).findall(".//testsuite")  # noqa: S314  # nosec B314
    except ElementTree.ParseError:
        raise GateFailed(
            "the tests left no report that can be read", hint="the log has their output"
        ) from None
    total, skipped, failed = (
        sum(int(s.get(key, 0)) for s in suites) for key in ("tests", "skipped", "failures")
    )
    broken = sum(int(suite.get("errors", 0)) for suite in suites)
    bad = [case for suite in suites for case in suite.iter("testcase") if _problem(case) is not None]
    if failed or broken or bad:
        names = [f"{case.get('classname')}::{case.get('name')}\n  {_problem(case)}" for case in bad]
        raise GateFailed(
            f"{failed + broken} of {total} tests failed",
            detail=_some(names),
            hint="`invoke test` runs them again",
        )
    if total - skipped <= 0:
        raise GateFailed("no test ran", hint="tests/unit/ is where they are looked for")
    return f"{total - skipped} tests" + (f", {skipped} skipped" if skipped else "")


def _problem(case: Any) -> str | None:
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            return str(found.get("message", kind)).splitlines()[0] if found.get("message") else kind
    return None


def ruff(report: str, listed: str) -> str:
    """Read Ruff's report in GitLab's form, and its list of the files it examined."""
    examined = _lines(listed)
    if not examined:
        raise GateFailed("ruff examined no file", hint="is there Python below this folder?")
    found = [
        f"{f['location']['path']}:{f['location']['positions']['begin']['line']}: {f['description']}"
        for f in _list(report, "ruff")
    ]
    if found:
        raise GateFailed(
            f"ruff found {_count(found, 'problem')}",
            detail=_some(found),
            hint="`ruff check --fix` mends some",
        )
    return _count(examined, "file")


def layout(output: str) -> str:
    """Read what `ruff format --check` printed: a mark for every file that it would change or cannot read, and a total."""
    if wrong := list(dict.fromkeys(re.findall(r"^\s*--> (\S+?):\d+", output, re.MULTILINE))):
        sentence = f"{_count(wrong, 'file')} not laid out as the formatter would"
        raise GateFailed(sentence, detail=_some(wrong), hint="`ruff format` does it")
    if not (said := re.search(r"^(\d+) files? already formatted$", output, re.MULTILINE)) or said[1] == "0":
        raise GateFailed("the formatter does not say what it examined", detail=_some(_lines(output)))
    return f"{said[1]} files"


def types(output: str) -> str:
    """Read mypy's last line."""
    if clean := re.search(r"^Success: no issues found in (\d+) source files?", output, re.MULTILINE):
        return f"{clean[1]} files"
    found = [line for line in _lines(output) if ": error:" in line]
    sentence = f"mypy found {_count(found, 'error')}" if found else "mypy does not say what it examined"
    raise GateFailed(sentence, detail=_some(found or _lines(output)))


def yaml(output: str, listed: str) -> str:
    """Read yamllint's findings and its list of the files it examined."""
    examined = _lines(listed)
    if not examined:
        raise GateFailed("yamllint examined no file")
    if found := _lines(output):
        raise GateFailed(f"yamllint found {_count(found, 'problem')}", detail=_some(found))
    return _count(examined, "file")


def dockerfile(output: str) -> str:
    """Read hadolint's list; a file that it could not open leaves none."""
    found = [f"{f['file']}:{f['line']}: {f['code']} {f['message']}" for f in _list(output, "hadolint")]
    if found:
        raise GateFailed(f"hadolint found {_count(found, 'problem')}", detail=_some(found))
    return "clean"


def bandit(report: str) -> str:
    """Read bandit's report: lines of code examined, no error, nothing of medium or high severity."""
    found = _object(report, "bandit")
    if errors := [f"{e['filename']}: {e['reason']}" for e in found.get("errors", [])]:
        raise GateFailed(f"bandit could not examine {_count(errors, 'file')}", detail=_some(errors))
    examined = found.get("metrics", {}).get("_totals", {}).get("loc", 0)
    if not examined:
        raise GateFailed("bandit examined no line of code")
    serious = [
        f"{r['filename']}:{r['line_number']}: {r['test_id']} {r['issue_text']}"
        for r in found.get("results", [])
        if r["issue_severity"] in {"MEDIUM", "HIGH"}
    ]
    if serious:
        hint = "mend it, or say in the line why it is harmless: `# nosec B000 - reason`"
        raise GateFailed(f"bandit found {_count(serious, 'problem')}", detail=_some(serious), hint=hint)
    return f"{examined} lines of code"


def secrets(output: str, planted: str, examined: int) -> str:
    """Read the secret scanner's JSON: it found the key in PLANTED, so it works, and none in the EXAMINED other files."""
    results = _object(output or "{}", "detect-secrets").get("results", {})
    if planted not in results:
        raise GateFailed(
            "the secret scanner missed a key that was planted for it", hint="it checks nothing as it stands"
        )
    if examined <= 0:
        raise GateFailed("the secret scanner was given no file")
    found = [
        f"{name}:{r['line_number']}: {r['type']}"
        for name, rs in results.items()
        if name != planted
        for r in rs
    ]
    if found:
        hint = "take it out and revoke it; if it is none, end the line with `# pragma: allowlist secret`"
        raise GateFailed(
            f"{_count(found, 'possible secret')} in the repository", detail=_some(found), hint=hint
        )
    return f"{examined} files"


def manifest(text: str, kubernetes: str) -> str:
    """Check rendered YAML against the schemas of KUBERNETES (`1.35`), refusing fields that it does not know."""
    import yaml as parser
    from kubernetes_validate import ValidationError, validate

    documents = [document for document in parser.safe_load_all(text) if document]
    if not documents:
        raise GateFailed("the manifest is empty")
    found = []
    for document in documents:
        try:
            validate(document, kubernetes, strict=True)
        except ValidationError as problem:
            where = ".".join(map(str, problem.path)) or "the object"
            found.append(f"{document['kind']}/{document['metadata']['name']}: {where}: {problem.message}")
    if found:
        raise GateFailed(
            f"{_count(found, 'object')} not valid for Kubernetes {kubernetes}", detail=_some(found)
        )
    return _count(documents, "object")


def pinned(lock: str) -> list[str]:
    """Return the releases that LOCK pins, as pip reads them, without their hashes."""
    return [line.strip() for line in re.findall(r"^([A-Za-z0-9._-]+==[^\\\n]+)", lock, re.MULTILINE)]


def withdrawn(report: str) -> tuple[str, str]:
    """Read pip's report; return (what the index was asked about, what it could not be asked about). Raises GateFailed for a finding."""
    try:
        rows = json.loads(report)["install"]
    except (ValueError, KeyError, TypeError):
        return "", "the package index did not answer for every release in the lock"
    if not rows:
        return "", "the lock pins no release"
    found = [f"{row['metadata']['name']}=={row['metadata']['version']}" for row in rows if row["is_yanked"]]
    if found:
        sentence = f"the lock pins {_count(found, 'release')} that its authors withdrew"
        raise GateFailed(sentence, detail=_some(found), hint="`nox -s lock -- --upgrade` pins newer ones")
    return f"{len(rows)} releases", ""


def advisories(report: str) -> tuple[str, str]:
    """Read pip-audit's report; return (what was asked about, what could not be asked about). Raises GateFailed for a finding."""
    try:
        rows = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return "", "the advisory service did not answer"
    found = [f"{row['name']} {row['version']}: {v['id']}" for row in rows for v in row.get("vulns", [])]
    if found:
        raise GateFailed(
            f"{_count(found, 'known vulnerability', 'known vulnerabilities')} in the lock",
            detail=_some(found),
        )
    skipped = [row["name"] for row in rows if "skip_reason" in row]
    if not rows or skipped:
        return "", f"the advisory service knows nothing about {len(skipped)} of {len(rows)} releases"
    return f"{len(rows)} releases", ""


def _object(text: str, tool: str) -> dict[str, Any]:
    return _json(text, tool, dict)  # type: ignore[no-any-return]


def _list(text: str, tool: str) -> list[dict[str, Any]]:
    return _json(text, tool, list)  # type: ignore[no-any-return]


def _json(text: str, tool: str, kind: type) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, kind):
        raise GateFailed(f"{tool} left no report that can be read", hint="its log says why")
    return found


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _count(things: Iterable[object], one: str, many: str = "") -> str:
    number = len(list(things))
    return f"{number} {one if number == 1 else many or one + 's'}"


def _some(lines: list[str]) -> str:
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])
