"""IAM's policy documents, evaluated as AWS evaluates them. Moto's own engine ignores resources and most conditions.

What this cannot know decides against the caller: a condition on a key that the call does not tell, an operator that is
not here, a resource that is not told. Such an `Allow` does not hold, such a `Deny` does. So it is never more lenient
than AWS, and where it is stricter, the refusal says so by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any

ANY = "*"  # the resource of an action that has none, or that the call does not tell


class Verdict(Enum):
    """What documents say together of one request."""

    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    DENIED = "denied"


@dataclass(frozen=True)
class Request:
    """What is asked: an action (`service:Name`), the ARN that it is asked of, the known keys of the context."""

    action: str
    resource: str = ANY
    context: Mapping[str, str] = field(default_factory=dict)


def verdict(documents: Iterable[str], request: Request) -> Verdict:
    """Return what DOCUMENTS, JSON each, say of REQUEST: one Deny outweighs every Allow."""
    effects = {effect for document in documents for effect in _effects(document, request)}
    if "Deny" in effects:
        return Verdict.DENIED
    return Verdict.ALLOWED if "Allow" in effects else Verdict.NOT_ALLOWED


def trusts(document: str, principals: Iterable[tuple[str, str]], request: Request) -> bool:
    """Return whether a role's trust policy lets any of PRINCIPALS, as (type, identifier), make REQUEST."""
    known, effects = set(principals), set()
    for statement in _statements(document):
        principal = statement.get("Principal", {})
        named = {"AWS": principal} if isinstance(principal, str) else principal
        given = {(kind, name) for kind, names in named.items() for name in _listed(names)}
        if (given & known or ("AWS", ANY) in given) and _concerns({**statement, "Resource": ANY}, request):
            effects.add(statement["Effect"])
    return effects == {"Allow"}


def _effects(document: str, request: Request) -> Iterator[str]:
    return (statement["Effect"] for statement in _statements(document) if _concerns(statement, request))


@cache
def _statements(document: str) -> list[dict[str, Any]]:
    return _listed(json.loads(document).get("Statement", []))


def _concerns(statement: Mapping[str, Any], request: Request) -> bool:
    denies = statement["Effect"] == "Deny"
    if "Action" in statement:
        concerned = any(matches(pattern, request.action) for pattern in _listed(statement["Action"]))
    else:
        concerned = not any(matches(pattern, request.action) for pattern in _listed(statement["NotAction"]))
    return concerned and _covers(statement, request, denies=denies) and _holds(statement, request, denies=denies)


def _covers(statement: Mapping[str, Any], request: Request, *, denies: bool) -> bool:
    """Return whether STATEMENT is about the resource of REQUEST."""
    listed = _listed(statement.get("Resource", statement.get("NotResource", ANY)))
    patterns = [_filled(pattern, request.context) for pattern in listed]
    if request.resource == ANY or None in patterns:
        return denies or (ANY in patterns and "NotResource" not in statement)
    found = any(matches(str(pattern), request.resource, case=True) for pattern in patterns)
    return found != ("NotResource" in statement)


def _filled(pattern: str, context: Mapping[str, str]) -> str | None:
    """Return PATTERN with its ${variables} replaced; None where one is not known."""
    names = re.findall(r"\$\{([^}]+)\}", pattern)
    if any(name not in context for name in names):
        return None
    return re.sub(r"\$\{([^}]+)\}", lambda match: context[match[1]], pattern)


def _holds(statement: Mapping[str, Any], request: Request, *, denies: bool) -> bool:
    """Return whether all conditions of STATEMENT hold; what is not known holds for a Deny alone."""
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            held = _held(operator, request.context.get(key.lower()), [str(value) for value in _listed(wanted)])
            if not (denies if held is None else held):
                return False
    return True


def _held(operator: str, value: str | None, wanted: list[str]) -> bool | None:
    """Return whether one condition holds; None where that is not known."""
    name = operator.removesuffix("IfExists")
    if value is None:
        return None
    negated = "Not" in name
    match name.replace("Not", ""):
        case "StringEquals":
            found = value in wanted
        case "StringEqualsIgnoreCase" | "Bool":
            found = value.lower() in [each.lower() for each in wanted]
        case "StringLike" | "ArnLike" | "ArnEquals":
            found = any(matches(each, value, case=True) for each in wanted)
        case _:
            return None
    return found != negated


def matches(pattern: str, text: str, *, case: bool = False) -> bool:
    """Return whether TEXT matches PATTERN, in which * stands for any text and ? for one character."""
    return _expression(pattern, case).fullmatch(text) is not None


@cache
def _expression(pattern: str, case: bool) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL if case else re.DOTALL | re.IGNORECASE)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
