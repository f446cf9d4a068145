"""Checks the input of patched operations against AWS's own model of them, which botocore carries.

Moto checks little and accepts what AWS refuses: required members, types, enums, lengths, ranges, patterns. Left out
are services where our patches do not read the request: S3 (bucket policies), CloudWatch (alarms), Route 53 (zones).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore import xform_name
from botocore.validate import ParamValidator
from moto.core.parse import UNDEFINED, EC2QueryParser, QueryParser
from moto.core.utils import get_service_model

from localcloud.aws.call import Call
from localcloud.aws.patching import PATCHES, Refused

UNCHECKED = ("s3", "cloudwatch", "route53")
MODELS = {
    "elasticloadbalancing": "elbv2",
    "servicequotas": "service-quotas",
}  # signing name -> model, where they differ
BAD_INPUT = ("InvalidParameterException", "InvalidRequestException", "BadRequestException")
NUMBERS = ("integer", "long", "float", "double")
SIZED = ("string", "list", "map")


def check(call: Call) -> None:
    """Refuse CALL if it is for a patched operation and its input violates AWS's model."""
    service = MODELS.get(call.service, call.service)
    if service in UNCHECKED or service not in {patched for patched, _ in PATCHES}:
        return
    protocol, sent = get_service_model(service).protocol, dict[str, str]()
    if protocol in ("ec2", "query"):
        sent = dict(parse_qsl(call.body.decode("utf-8", "replace") or call.query, keep_blank_values=True))
    wanted, path = sent.get("Action") or call.action, f"{call.method} {call.path.rstrip('/')}"
    for operation, pattern in _operations(service):
        match = pattern.fullmatch(path) if protocol == "rest-json" else None
        if (match or (protocol != "rest-json" and operation.name == wanted)) and operation.input_shape:
            labels = match.groupdict() if match else {}
            given = _form(protocol, operation, sent) if sent else _json(call, operation.input_shape, labels)
            _validate(protocol, operation, given)
            return


@cache
def _operations(service: str) -> list[tuple[Any, re.Pattern[str]]]:
    """Return the patched operations of SERVICE, each with a pattern of its METHOD and path."""
    model = get_service_model(service)
    ours = {name for (patched, _), names in PATCHES.items() if patched == service for name in names}
    operations = [model.operation_model(name) for name in model.operation_names if xform_name(name) in ours]
    blank = re.compile(r"\{(\w+)\+?\}")
    return [
        (each, re.compile(blank.sub(r"(?P<\1>[^/]+)", f"{each.http['method']} {each.http['requestUri']}")))
        for each in operations
    ]


def _validate(protocol: str, operation: Any, given: Any) -> None:
    problems = _Problems()
    _Validator()._validate(given, operation.input_shape, problems, "")  # noqa: SLF001 (validate() has its own list)
    if not problems:
        return
    declared = {shape.name for shape in operation.error_shapes}
    code = next((code for code in BAD_INPUT if code in declared), "ValidationException")
    if protocol == "ec2":
        code = "MissingParameter" if problems.missing else "InvalidParameterValue"
    elif protocol == "query":
        code = "ValidationError"
    raise Refused(400, code, f"{len(problems)} validation error(s) detected: {'; '.join(problems)}")


def _json(call: Call, shape: Any, labels: dict[str, str]) -> Any:
    """Return the members of SHAPE from the path, query and JSON body of CALL; null means absent."""
    try:
        body = json.loads(
            call.body or b"{}", object_hook=lambda item: {key: item[key] for key in item if item[key] is not None}
        )
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "SerializationException", "The body is not a JSON object")
    query = parse_qsl(call.query, keep_blank_values=True)
    sent: dict[str, Any] = {}
    for name, member in shape.members.items():
        location, key = member.serialization.get("location"), member.serialization.get("name", name)
        texts = [value for parameter, value in query if parameter == key]
        if location == "uri":
            sent[name] = unquote(labels[key])
        elif location == "querystring" and texts:
            sent[name] = texts if member.type_name == "list" else _from_text(member, texts[-1])
        elif location is None and key in body:
            sent[name] = body[key]
    return sent


def _from_text(shape: Any, text: str) -> Any:
    """Return TEXT converted to SHAPE's type, or TEXT itself, which the validator then finds to be of the wrong type."""
    if shape.type_name in ("integer", "long") and re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if shape.type_name in ("float", "double") and re.fullmatch(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?", text):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text) if shape.type_name == "boolean" else text


def _form(protocol: str, operation: Any, sent: dict[str, str]) -> Any:
    parser = _Ec2Form if protocol == "ec2" else _Form
    return parser(operation).parse({"values": sent})  # type: ignore[typeddict-item]


class _Form(QueryParser):
    """Moto's parser of form fields, but values of the wrong type stay text, for the validator."""

    def _parse_shape(self, shape: Any, node: Any, prefix: str = "") -> Any:
        if shape.type_name in ("structure", "list", "map"):
            return super()._parse_shape(shape, node, prefix)
        value = self._default_handle(shape, node, prefix)
        return value if value is UNDEFINED else _from_text(shape, value)


class _Ec2Form(_Form, EC2QueryParser):
    """The same for EC2's field names."""


class _Problems(list[str]):
    """The problems, in AWS's words. Replaces botocore's own list, which knows fewer kinds."""

    missing = False

    def report(self, name: str, reason: str, **details: Any) -> None:
        if reason == "missing required field":
            self.missing, name, reason = True, f"{name}.{details['required_name']}", "Member must not be null"
        elif "min_allowed" in details:
            reason = f"{reason}, at least {details['min_allowed']}"
        value = str(details.get("param", "null"))[:100]
        if reason != "unknown field":  # AWS ignores unknown members
            self.append(f"Value '{value}' at '{name[1:]}' failed to satisfy constraint: {reason}")


class _Validator(ParamValidator):
    """Botocore's validator, plus what it leaves to AWS: enums, upper bounds, patterns."""

    def _shape_has_constraints(self, _shape: Any) -> bool:
        return True  # otherwise only the types of list items are checked

    def _validate(self, params: Any, shape: Any, errors: Any, name: str) -> None:
        if isinstance(params, bool) and shape.type_name in NUMBERS:  # True is an int in Python, but no number in JSON
            errors.report(name, "invalid type", param=params)
            return
        super()._validate(params, shape, errors, name)
        for reason in _broken(shape, params):
            errors.report(name, f"Member must {reason}", param=params)


def _broken(shape: Any, value: Any) -> Iterator[str]:
    most = shape.metadata.get("max", float("inf"))
    if shape.type_name in NUMBERS and isinstance(value, int | float) and value > most:
        yield f"have value less than or equal to {most}"
    if shape.type_name in SIZED and isinstance(value, str | list | dict) and len(value) > most:
        yield f"have length less than or equal to {most}"
    if shape.type_name == "string" and isinstance(value, str):
        if shape.enum and value not in shape.enum:
            yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
        pattern = _pattern(shape.metadata.get("pattern"))
        if pattern and not pattern.fullmatch(value):
            yield f"satisfy regular expression pattern: {pattern.pattern}"


@cache
def _pattern(text: str | None) -> re.Pattern[str] | None:
    """Return the compiled pattern, or None if it uses Java's syntax."""
    try:
        return re.compile(text, re.ASCII) if text else None
    except re.error:
        return None
