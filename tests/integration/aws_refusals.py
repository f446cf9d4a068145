"""Requests that violate AWS's model, derived from valid ones and sent as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.aws_process import AwsProcess
from tests.integration.aws_recorder import Recorded

LONGEST = 3000  # characters of a value that is too long; if more are allowed, none is sent
OUT_OF_PATTERN = "§ $|"


@dataclass(frozen=True)
class Refusal:
    """What was wrong with a request, and how it was answered; 200 if it was accepted."""

    operation: Any
    what: str
    status: int
    code: str


def wrong(shape: Any, good: Any, form: bool, at: str = "input") -> Iterator[tuple[str, Any]]:
    """Yield a problem and GOOD with only that problem. A FORM carries only text, without types."""
    text = form or "location" in shape.serialization
    match shape.type_name:
        case "structure":
            yield from _wrong_structure(shape, good, form, at)
            if not text and at != "input":
                yield f"{at} is a text", "text"
        case "list":
            yield from ((what, [bad, *good[1:]]) for what, bad in wrong(shape.member, good[0], text, f"{at}[0]"))
            if not text:
                yield f"{at} is a text", "text"
        case "map":
            key, value = next(iter(good.items()))
            yield from ((what, {**good, key: bad}) for what, bad in wrong(shape.value, value, form, f"{at}.{key}"))
            yield from ((what, {bad: value}) for what, bad in wrong(shape.key, key, True, f"{at}: key"))
        case "string":
            yield from _wrong_string(shape, good, at)
            if not text:
                yield f"{at} is a number", 7
        case "boolean":
            if not form:  # botocore writes `true` for it
                yield f"{at} is a text", "maybe"
        case "integer" | "long" | "float" | "double":
            yield f"{at} is a text", "seven"
            yield from ((f"{at} is below {least}", least - 1) for least in _bound(shape, "min"))
            yield from ((f"{at} is above {most}", most + 1) for most in _bound(shape, "max"))


def _bound(shape: Any, which: str) -> list[int]:
    bound = shape.metadata.get(which)
    return [bound] if bound is not None and bound < 2**31 - 1 else []


def _wrong_structure(shape: Any, good: dict[str, Any], form: bool, at: str) -> Iterator[tuple[str, Any]]:
    for name in shape.required_members:
        empty = form and len(good) == 1 and at != "input"  # a form cannot express an empty structure
        if shape.members[name].serialization.get("location") != "uri" and not empty:
            yield f"{at} is without {name}", {key: value for key, value in good.items() if key != name}
    for name, value in good.items():
        for what, bad in wrong(shape.members[name], value, form, f"{at}.{name}"):
            yield what, {**good, name: bad}


def _wrong_string(shape: Any, good: str, at: str) -> Iterator[tuple[str, Any]]:
    in_path = shape.serialization.get("location") == "uri"
    if shape.enum:
        yield f"{at} is not in the enum", "no-such-value"
    else:
        for most in _bound(shape, "max"):
            if most < LONGEST:
                yield f"{at} is longer than {most}", (good or "x") * (most + 1)
    if any(_bound(shape, "min")) and not in_path:
        yield f"{at} is empty", ""
    try:
        if not re.fullmatch(shape.metadata.get("pattern", ".*"), OUT_OF_PATTERN, re.ASCII):
            yield f"{at} is out of its pattern", OUT_OF_PATTERN
    except re.error:
        pass  # Java's syntax


def unknown(shape: Any, good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield requests like GOOD for a resource that does not exist."""
    for name in good:
        if shape.members[name].serialization.get("location") == "uri":
            yield f"{name} is unknown", {**good, name: "no-such"}


class Raw:
    """Clients of one local AWS that send without validating."""

    def __init__(self, aws: AwsProcess) -> None:
        self._aws, self._clients = aws, dict[str, Any]()
        self._body: bytes | None = None

    def __call__(self, call: Recorded, what: str, bad: dict[str, Any]) -> Refusal:
        """Send CALL again with BAD instead of its parameters."""
        operation, protocol = call.operation, call.operation.service_model.metadata["protocol"]
        asked, members = bad, operation.input_shape.members
        self._body = None
        if "json" in protocol:  # botocore cannot serialize text as a structure, so replace its body
            located = {name for name in members if "location" in members[name].serialization}
            asked = {name: value for name, value in bad.items() if name in located}
            self._body = json.dumps({name: value for name, value in bad.items() if name not in located}).encode()
        try:
            getattr(self._client(operation.service_model.service_name), xform_name(operation.name))(**asked)
        except ClientError as problem:
            answer: Any = problem.response
            return Refusal(operation, what, answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"])
        return Refusal(operation, what, 200, "")

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
            self._clients[service] = self._aws.client(service, config)
            self._clients[service].meta.events.register("before-call", self._replace)
        return self._clients[service]

    def _replace(self, params: dict[str, Any], **_: Any) -> None:
        if self._body is not None and self._body != b"{}":
            params["body"] = self._body
            if "X-Amz-Target" not in params["headers"]:
                params["headers"]["Content-Type"] = "application/json"
