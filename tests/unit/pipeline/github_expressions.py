"""GitHub's `if:` expressions, evaluated: which jobs a run of the workflow has.

The grammar is that of GitHub's "Evaluate expressions in workflows and actions": `==` and `!=`, which ignore the case of
texts, `!`, `&&` before `||`, parentheses, properties of contexts, `format`, `always`, `startsWith`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TOKEN = re.compile(r"\s*(?:(?P<op>==|!=|&&|\|\||!|\(|\)|,)|'(?P<text>(?:[^']|'')*)'|(?P<name>[A-Za-z_][\w.-]*))")
WORDS = {"true": True, "false": False, "null": None}


class Expression:
    """The condition of a job. Raises ValueError for one that GitHub would refuse."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text.removeprefix("${{").removesuffix("}}")))

    def holds(self, context: Mapping[str, Any]) -> bool:
        """Return whether it is true in CONTEXT: `github`, `inputs` … as nested mappings."""
        self._at, self._context = 0, context
        result = self._either()
        if self._at < len(self._tokens):
            raise ValueError(f"unexpected {self._tokens[self._at]}")
        return bool(result)

    def _either(self) -> Any:
        result = self._both()
        while self._next("||"):
            other = self._both()
            result = result or other
        return result

    def _both(self) -> Any:
        result = self._compared()
        while self._next("&&"):
            other = self._compared()
            result = result and other
        return result

    def _compared(self) -> Any:
        left = self._value()
        for operator in ("==", "!="):
            if self._next(operator):
                return _same(left, self._value()) is (operator == "==")
        return left

    def _value(self) -> Any:
        if self._next("!"):
            return not self._value()
        if self._next("("):
            result = self._either()
            self._must(")")
            return result
        if self._at == len(self._tokens):
            raise ValueError("something is missing at the end")
        kind, value = self._tokens[self._at]
        self._at += 1
        if kind == "text":
            return value
        if kind == "operator":
            raise ValueError(f"unexpected {value}")
        return self._called(value) if self._next("(") else self._property(value)

    def _called(self, name: str) -> Any:
        given: list[Any] = []
        while not self._next(")"):
            given.append(self._either())
            if not self._next(","):
                self._must(")")
                break
        match name:
            case "always":
                return True
            case "startsWith":
                return str(given[0]).lower().startswith(str(given[1]).lower())
            case "format":
                return re.sub(r"\{(\d+)\}", lambda found: str(given[int(found[1]) + 1]), given[0])
        raise ValueError(f"this evaluator does not know {name}()")

    def _property(self, path: str) -> Any:
        if path in WORDS:
            return WORDS[path]
        value: Any = self._context
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def _next(self, operator: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == ("operator", operator):
            self._at += 1
            return True
        return False

    def _must(self, operator: str) -> None:
        if not self._next(operator):
            raise ValueError(f"{operator} is missing")


def jobs(document: Mapping[str, Any], event: str, context: Mapping[str, Any]) -> set[str]:
    """Return the jobs of the workflow DOCUMENT that EVENT runs; none if it does not start the workflow.

    As GitHub does, a job is skipped with one that it needs.
    """
    triggers = document[True]  # YAML 1.1 reads `on` as a truth value
    if event not in triggers:
        return set()
    if event == "push" and not str(context["github"]["ref"]).startswith("refs/heads/"):
        return set()
    found: set[str] = set()
    for name, job in document["jobs"].items():
        needs = job.get("needs", [])
        unknown = set(needs) - set(document["jobs"])
        if unknown:
            raise ValueError(f"{name} needs {unknown}, which the workflow does not have")
        if Expression(job.get("if", "always()")).holds(context) and found.issuperset(needs):
            found.add(name)
    return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"GitHub does not understand {text[at:]!r}")
        at = match.end()
        if match["op"]:
            yield "operator", match["op"]
        elif match["name"]:
            yield "name", match["name"]
        else:
            yield "text", match["text"].replace("''", "'")


def _same(left: Any, right: Any) -> bool:
    """Compare as GitHub does: without regard to case, and null equals an empty text."""
    if isinstance(left, str) and isinstance(right, str):
        return left.lower() == right.lower()
    return (left or "") == (right or "")
