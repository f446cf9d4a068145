"""What a tool's report has to say before a gate opens: what was examined, and that it was clean.

Each function takes what a tool wrote and returns a few words about what was examined, or raises GateFailed.
An exit code is never enough: bandit, ruff, detect-secrets and pip-audit all end with 0 when they looked at nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from longshore.errors import GateFailed
from longshore.files import from_json

SHOWN = 20  # findings
BASELINE = ".secrets.baseline"  # findings that are accepted, as detect-secrets keeps them
PINNED = re.compile(r"([A-Za-z0-9][\w.-]*(?:\[[^]]*\])?)\s*(===?)\s*([\w.!+-]+)(\s*;.*)?", re.ASCII)
INDEX = re.compile(r"(-i|-f|--(extra-)?index-url|--find-links|--no-index|--trusted-host|--only-binary|--no-binary)\b")


@contextmanager
def _readable(tool: str) -> Iterator[None]:
    """Raise GateFailed where the report of TOOL is not of the form that it has: that is no clean report."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError):
        raise GateFailed(f"{tool} left no readable report", hint="its log says why") from None


@_readable("pytest")
def tests(junit: str) -> str:
    """Read a JUnit report: at least one test, and none that failed."""
    from xml.etree import ElementTree  # nosec B405 - our own pytest wrote it a second ago

    try:
        suites = ElementTree.fromstring(junit).findall(".//testsuite")  # noqa: S314  # nosec B314
    except ElementTree.ParseError:
        raise GateFailed("the tests left no readable report", hint="the log has their output") from None
    total, skipped, failed = (sum(int(s.get(key, 0)) for s in suites) for key in ("tests", "skipped", "failures"))
    broken = sum(int(suite.get("errors", 0)) for suite in suites)
    bad = [case for suite in suites for case in suite.iter("testcase") if _problem(case) is not None]
    if failed or broken or bad:
        names = [f"{'::'.join(filter(None, (c.get('classname'), c.get('name'))))}\n  {_problem(c)}" for c in bad]
        raise GateFailed(
            f"{failed + broken} of {total} tests failed", detail=_some(names), hint="`invoke test` runs them again"
        )
    if total - skipped <= 0:
        raise GateFailed("no test ran", hint="`[gates.tests]` in longshore.toml says where they are")
    return f"{total - skipped} tests" + (f", {skipped} skipped" if skipped else "")


def covered(cobertura: str) -> str:
    """Return ", 96% covered" from a coverage report, whose own figure is a share of lines; nothing without one."""
    found = re.search(r'<coverage\b[^>]*\bline-rate="([\d.]+)"', cobertura)
    return f", {float(found[1]):.0%} covered" if found else ""


def _problem(case: Any) -> str | None:
    """Return in a line what went wrong with CASE, None if nothing did."""
    for kind in ("failure", "error"):
        if (problem := case.find(kind)) is not None:
            message = str(problem.get("message") or kind).splitlines()[0]
            # A module that cannot be imported has no message of its own; pytest marks the exception's lines with an E.
            raised = [line[1:].strip() for line in (problem.text or "").splitlines() if line.startswith("E ")]
            where = f" ({raised[0]})" if raised and raised[0].startswith("File ") else ""
            return f"{raised[-1]}{where}" if message == "collection failure" and raised else message
    return None


@_readable("ruff")
def ruff(report: str, listed: str) -> str:
    """Read Ruff's report in GitLab's form, and its list of the files it examined."""
    examined = _lines(listed)
    if not examined:
        raise GateFailed("ruff examined no file", hint="is there Python below this folder?")
    problems = [
        f"{f['location']['path']}:{f['location']['positions']['begin']['line']}: {f['description']}"
        for f in from_json(report, list[dict[str, Any]])
    ]
    if problems:
        hint = "`ruff check --fix` fixes some of them"
        raise GateFailed(f"ruff found {_count(problems, 'problem')}", detail=_some(problems), hint=hint)
    return _count(examined, "file")


def layout(output: str) -> str:
    """Read what `ruff format --check` printed: each file that it would change or cannot read, and a total."""
    if wrong := list(dict.fromkeys(re.findall(r"^\s*--> (\S+?):\d+", output, re.MULTILINE))):
        sentence = f"{_count(wrong, 'file')} not formatted"
        raise GateFailed(sentence, detail=_some(wrong), hint="`ruff format` formats them")
    total = re.search(r"^(\d+) files? already formatted$", output, re.MULTILINE)
    if not total or total[1] == "0":
        raise GateFailed("the formatter does not say what it examined", detail=_some(_lines(output)))
    return f"{total[1]} files"


def types(output: str) -> str:
    """Read mypy's last line."""
    if clean := re.search(r"^Success: no issues found in (\d+) source files?", output, re.MULTILINE):
        return f"{clean[1]} files"
    errors = [line for line in _lines(output) if ": error:" in line]
    sentence = f"mypy found {_count(errors, 'error')}" if errors else "mypy does not say what it examined"
    raise GateFailed(sentence, detail=_some(errors or _lines(output)))


def yaml(output: str, listed: str) -> str:
    """Read yamllint's findings and its list of the files it examined."""
    examined = _lines(listed)
    if not examined:
        raise GateFailed("yamllint examined no file")
    if problems := _lines(output):
        raise GateFailed(f"yamllint found {_count(problems, 'problem')}", detail=_some(problems))
    return _count(examined, "file")


@_readable("hadolint")
def dockerfile(output: str) -> str:
    """Read hadolint's list; a file that it could not open leaves none."""
    problems = [f"{f['file']}:{f['line']}: {f['code']} {f['message']}" for f in from_json(output, list[dict[str, Any]])]
    if problems:
        raise GateFailed(f"hadolint found {_count(problems, 'problem')}", detail=_some(problems))
    return "clean"


@_readable("bandit")
def bandit(report: str) -> str:
    """Read bandit's report: lines of code examined, no error, nothing of medium or high severity."""
    document = from_json(report, dict[str, Any])
    if errors := [f"{e['filename']}: {e['reason']}" for e in document.get("errors", [])]:
        raise GateFailed(f"bandit could not examine {_count(errors, 'file')}", detail=_some(errors))
    examined = document.get("metrics", {}).get("_totals", {}).get("loc", 0)
    if not examined:
        raise GateFailed("bandit examined no line of code")
    serious = [
        f"{r['filename']}:{r['line_number']}: {r['test_id']} {r['issue_text']}"
        for r in document.get("results", [])
        if r["issue_severity"] in {"MEDIUM", "HIGH"}
    ]
    if serious:
        hint = "fix it, or add to the line why it is harmless: `# nosec B000 - reason`"
        raise GateFailed(f"bandit found {_count(serious, 'problem')}", detail=_some(serious), hint=hint)
    return f"{examined} lines of code"


@_readable("detect-secrets")
def secrets(outputs: Iterable[str], planted: str, examined: int, baseline: str = "") -> str:
    """Read the JSON of each of the secret scanner's runs.

    Each has to find the key in PLANTED, and none a key in the EXAMINED other files but those that BASELINE accepts.
    """
    accepted = _accepted(baseline)
    results: dict[str, Any] = {}
    for output in outputs:
        found = from_json(output or "{}", dict[str, Any]).get("results", {})
        if planted not in found:
            raise GateFailed(
                "the secret scanner missed a test key, so it examines nothing", hint="reinstall detect-secrets"
            )
        results |= found
    if examined <= 0:
        raise GateFailed("the secret scanner was given no file")
    found = [(name, r) for name, rs in results.items() if name != planted for r in rs]
    new = [(name, r) for name, r in found if (name, r["type"], r["hashed_secret"]) not in accepted]
    if leaks := [f"{name}:{r['line_number']}: {r['type']}" for name, r in new]:
        hint = (
            "remove and revoke it; if it is not a secret, end the line with `# pragma: allowlist secret`, "
            f"or have `detect-secrets scan > {BASELINE}` accept all that are there"
        )
        raise GateFailed(f"{_count(leaks, 'possible secret')} in the repository", detail=_some(leaks), hint=hint)
    return f"{examined} files" + (f", {_count(accepted, 'finding')} accepted by {BASELINE}" if accepted else "")


def _accepted(baseline: str) -> set[tuple[str, str, str]]:
    """Return file, kind and hash of each finding that BASELINE, which detect-secrets wrote, accepts, on any line.

    One that somebody has audited and found to be a secret is not accepted.
    """
    try:
        results = from_json(baseline or "{}", dict[str, Any]).get("results", {})
        rows = [(name, row) for name, rows in results.items() for row in rows if row.get("is_secret") is not True]
        return {(name, row["type"], row["hashed_secret"]) for name, row in rows}
    except (ValueError, LookupError, TypeError, AttributeError):
        hint = f"`detect-secrets scan > {BASELINE}` writes it again"
        raise GateFailed(f"{BASELINE} is no baseline of detect-secrets", hint=hint) from None


def pinned(lock: str) -> tuple[list[str], list[str]]:
    """Return the releases that LOCK pins, as pip reads them, without their hashes; and the lines that say otherwise.

    Lines that tell pip which index to ask are neither.
    """
    releases, unknown = [], []
    for line in lock.replace("\\\n", " ").splitlines():
        requirement = re.split(r"(?:^|\s)(?:#|--hash[= ])", line)[0].strip()
        if release := PINNED.fullmatch(requirement):
            releases.append("".join(release.groups("")))
        elif requirement and not INDEX.match(requirement):
            unknown.append(requirement)
    return releases, unknown


def parts(releases: Iterable[str]) -> list[list[str]]:
    """Return RELEASES in lists that each name a distribution once: pip takes no two releases of one."""
    lists: list[dict[str, str]] = []
    for release in releases:
        name = re.split(r"[\[=\s]", release)[0].lower().replace("_", "-")
        free = next((each for each in lists if name not in each), None)
        if free is None:
            lists.append(free := {})
        free[name] = release
    return [list(each.values()) for each in lists]


def withdrawn(report: str) -> tuple[str, str]:
    """Read pip's report.

    Return (what the index was asked about, what it could not be asked about). Raises GateFailed for a finding.
    """
    try:
        rows = from_json(report)["install"]
        yanked = [f"{row['metadata']['name']}=={row['metadata']['version']}" for row in rows if row["is_yanked"]]
    except (ValueError, LookupError, TypeError):
        return "", "the package index did not answer for every release in the lock"
    if not rows:
        return "", "the lock pins no release"
    if yanked:
        sentence = f"the lock pins {_count(yanked, 'withdrawn release')}"
        raise GateFailed(sentence, detail=_some(yanked), hint="`nox -s lock -- --upgrade` pins newer ones")
    return f"{len(rows)} releases", ""


def advisories(report: str) -> tuple[str, str]:
    """Read pip-audit's report.

    Return (what was asked about, what could not be asked about). Raises GateFailed for a finding.
    """
    try:
        rows = from_json(report, dict[str, list[dict[str, Any]]])["dependencies"]
        known = [f"{row['name']} {row['version']}: {v['id']}" for row in rows for v in row.get("vulns", [])]
        skipped = [row["name"] for row in rows if "skip_reason" in row]
    except (ValueError, LookupError, TypeError):
        return "", "the advisory service did not answer"
    if known:
        count = _count(known, "known vulnerability", "known vulnerabilities")
        raise GateFailed(
            f"{count} in the lock", detail=_some(known), hint="`nox -s lock -- --upgrade` pins newer releases"
        )
    if not rows or skipped:
        return "", f"the advisory service knows nothing about {len(skipped)} of {len(rows)} releases"
    return f"{len(rows)} releases", ""


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _count(things: Iterable[object], singular: str, plural: str = "") -> str:
    number = len(list(things))
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def _some(lines: list[str]) -> str:
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])
