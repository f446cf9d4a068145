"""GitLab's rules, evaluated: which jobs a pipeline has, and whether there is one.

The grammar is that of `rules:if` (GitLab's documentation, "CI/CD expressions"): `==` and `!=` between variables, texts
and `null`; `=~` and `!~` with a pattern; `&&` before `||`; parentheses; a variable alone is true if it is set and not
empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:(?P<op>==|!=|=~|!~|&&|\|\||\(|\))|\$(?P<name>\w+)|"(?P<text>[^"]*)"|'(?P<single>[^']*)'"""
    r"""|/(?P<pattern>(?:\\.|[^/\\])+)/(?P<flags>i?)|(?P<null>null))"""
)
Value = str | re.Pattern[str] | None


class Expression:
    """A condition of a rule. Raises ValueError for one that GitLab would refuse."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def holds(self, variables: Mapping[str, str]) -> bool:
        """Return whether it is true for VARIABLES."""
        self._at, self._variables = 0, variables
        result = self._either()
        if self._at < len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._at]}")
        return _true(result)

    def _either(self) -> Any:
        result = self._both()
        while self._next("||"):
            other = self._both()
            result = _true(result) or _true(other)
        return result

    def _both(self) -> Any:
        result = self._compared()
        while self._next("&&"):
            other = self._compared()
            result = _true(result) and _true(other)
        return result

    def _compared(self) -> Any:
        left = self._value()
        for operator in ("==", "!=", "=~", "!~"):
            if self._next(operator):
                right = self._value()
                if operator in ("==", "!="):
                    return (left == right) is (operator == "==")
                if not isinstance(right, re.Pattern):
                    raise ValueError(f"{operator} needs a pattern")
                return (right.search(left or "") is not None) is (operator == "=~")
        return left

    def _value(self) -> Any:
        if self._next("("):
            result = self._either()
            if not self._next(")"):
                raise ValueError("a parenthesis is not closed")
            return _true(result)
        if self._at == len(self._tokens):
            raise ValueError("something is missing at the end")
        kind, value = self._tokens[self._at]
        self._at += 1
        if kind == "variable":
            return self._variables.get(str(value))
        if kind == "value":
            return value
        raise ValueError(f"unexpected {value}")

    def _next(self, operator: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("operator", operator):
            self._at += 1
            return True
        return False


def jobs(document: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the jobs of DOCUMENT's pipeline for VARIABLES, each with its `when`; none where there is no pipeline.

    Raises ValueError where a job needs one that is not there: GitLab then refuses the pipeline.
    """
    if _decided(document["workflow"]["rules"], variables) in (None, "never"):
        return {}
    keywords = {"stages", "variables", "workflow", "default", "include"}
    found = {}
    for name, job in document.items():
        if name in keywords or name.startswith("."):
            continue
        when = _decided(job.get("rules", [{}]), variables)
        if when not in (None, "never"):
            found[name] = str(when)
    for name in found:
        for need in document[name].get("needs", []):
            if need["job"] not in found and not need.get("optional"):
                raise ValueError(f"{name} needs {need['job']}, which is not there")
    return found


def _decided(rules: list[dict[str, Any]], variables: Mapping[str, str]) -> str | None:
    for rule in rules:
        unknown = set(rule) - {"if", "when", "allow_failure", "auto_cancel"}
        if unknown:
            raise ValueError(f"this evaluator does not know {unknown}")
        if "if" not in rule or Expression(rule["if"]).holds(variables):
            return str(rule.get("when", "on_success"))
    return None


def _tokens(text: str) -> Iterator[tuple[str, Value]]:
    at = 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"GitLab does not understand {text[at:]!r}")
        at = match.end()
        if match["op"]:
            yield "operator", match["op"]
        elif match["name"]:
            yield "variable", match["name"]
        elif match["pattern"]:
            yield "value", re.compile(match["pattern"], re.IGNORECASE if match["flags"] else 0)
        elif match["null"]:
            yield "value", None
        else:
            yield "value", match["text"] if match["text"] is not None else match["single"]


def _true(value: object) -> bool:
    return value not in (None, "", False)
