"""Checks an answer of AWS against the service's own model, which botocore carries.

`complaints` reads the answer as it came over the wire: a lenient parser could hide a mistake.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

# The errors that every service may answer with: AWS's page "Common Error Types".
COMMON = {
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "MissingAuthenticationToken",
    "MissingParameter",
    "SerializationException",
    "SignatureDoesNotMatch",
    "ThrottlingException",
    "ValidationError",
    "ValidationException",
}
DOCUMENTED = {  # in addition to the model, which declares no errors for EC2 and few for S3
    "ec2": r"Invalid\w+\.(Duplicate|NotFound|Malformed|AlreadyExistsException)|NatGatewayNotFound",
    "s3": r"NoSuchBucket|NoSuchKey|InvalidArgument",
}
OBSERVED = {("CreateNodegroup", "ResourceNotFoundException")}  # AWS's undeclared answer if there is no such cluster
WHEN = {"iso8601": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "rfc822": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"}
TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


def complaints(operation: Any, headers: Mapping[str, str], body: bytes) -> list[str]:
    """Return how a successful answer deviates from the model of OPERATION."""
    shape = operation.output_shape
    if shape is None:
        return []
    model, answer = operation.service_model.metadata, {}
    for name, member in shape.members.items():
        text = headers.get(member.serialization.get("name", name))
        if member.serialization.get("location") == "header" and text is not None:
            answer[name] = _from_text(member, text)
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name == "blob":
        pass  # an S3 object: any bytes
    elif "json" in model["protocol"]:
        content = json.loads(body or b"{}")
        answer = {**answer, **_named(shape, content)} if isinstance(content, dict) else content
    elif body:
        answer |= _from_xml(shape, _result(operation, ET.fromstring(body)))
    return list(check(shape, answer))


def check(shape: Any, value: Any, at: str = "answer") -> Iterator[str]:
    """Yield how VALUE, whose members are named as in the model, deviates from SHAPE."""
    kind = shape.type_name
    wrong = not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    if wrong or (kind == "timestamp" and not _is_time(shape, value)) or (kind == "blob" and not _is_base64(value)):
        yield f"{at}: {value!r} is no {kind}"
    elif kind == "structure":
        yield from (f"{at}: {name} is required" for name in shape.required_members if name not in value)
        for name, member in value.items():
            if name in shape.members:
                yield from check(shape.members[name], member, f"{at}.{name}")
            else:
                yield f"{at}: {name} is not in the model"
    elif kind == "list":
        for number, item in enumerate(value):
            yield from check(shape.member, item, f"{at}[{number}]")
    elif kind == "map":
        for key, item in value.items():
            yield from check(shape.key, key, f"{at}: key")
            yield from check(shape.value, item, f"{at}.{key}")
    elif kind == "string" and shape.enum and value not in shape.enum:
        yield f"{at}: {value!r} is none of {', '.join(shape.enum)}"


def allowed(operation: Any, status: int, code: str) -> bool:
    """Whether the model, or AWS's documentation, allows OPERATION to fail like that."""
    for shape in operation.error_shapes:
        error = shape.metadata.get("error", {})
        if code in (shape.name, error.get("code")):
            return bool(status == error.get("httpStatusCode", status)) and 400 <= status < 500
    documented = re.fullmatch(DOCUMENTED.get(operation.service_model.service_name, "-"), code)
    bodiless = operation.http["method"] == "HEAD" and code == str(status)
    known = code in COMMON or documented or bodiless or (operation.name, code) in OBSERVED
    return bool(known) and 400 <= status < 500


def _named(shape: Any, value: Any) -> Any:
    """Return JSON with its members named as in the model."""
    if shape.type_name == "structure" and isinstance(value, dict):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        return {
            names.get(key, key): _named(shape.members[names[key]], item) if key in names else item
            for key, item in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [_named(shape.member, item) for item in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _named(shape.value, item) for key, item in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, str) and "timestampFormat" not in shape.serialization:
        return f"a text: {value}"  # in JSON they are seconds, unless the model says otherwise
    return value


def _tag(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _result(operation: Any, root: ET.Element) -> ET.Element:
    """Return the element that holds the output, and check what surrounds it."""
    protocol = operation.service_model.metadata["protocol"]
    if protocol == "rest-xml":
        return root
    assert _tag(root) == f"{operation.name}Response", f"the answer's root is {root.tag}"
    if protocol == "ec2":
        for node in [node for node in root if _tag(node) == "requestId"]:
            root.remove(node)
        return root
    nodes = {_tag(node): node for node in root}
    wrapper = operation.output_shape.serialization.get("resultWrapper")
    assert set(nodes) <= {wrapper, "ResponseMetadata"}, f"around the result: {sorted(nodes)}"
    return nodes[wrapper]


def _from_xml(shape: Any, node: ET.Element) -> Any:
    """Return NODE as SHAPE; what does not fit stays text, or gets a name that is in no model."""
    if shape.type_name in ("structure", "list", "map") and (node.text or "").strip():
        return node.text
    if shape.type_name == "structure":
        return _structure(shape, node)
    if shape.type_name == "list":
        wanted = shape.member.serialization.get("name", "item" if shape.serialization.get("ec2") else "member")
        return [
            _from_xml(shape.member, child) if _tag(child) in (wanted, "item") else f"<{_tag(child)}>" for child in node
        ]
    if shape.type_name == "map":
        key, value = (
            part.serialization.get("name", name) for part, name in ((shape.key, "key"), (shape.value, "value"))
        )
        pairs = [{_tag(part): part for part in entry} for entry in node]
        return {pair[key].text or "": _from_xml(shape.value, pair[value]) for pair in pairs}
    if len(node):
        return f"<{_tag(node[0])}>"
    return _from_text(shape, node.text or "")


def _structure(shape: Any, node: ET.Element) -> dict[str, Any]:
    names = {}
    for name, member in shape.members.items():
        flat = member.type_name == "list" and member.serialization.get("flattened")
        own = member.member.serialization.get("name") if flat else None
        names[own or member.serialization.get("name", name)] = name
    members: dict[str, Any] = {}
    for child in node:
        name = names.get(_tag(child))
        if name is None:
            members[f"<{_tag(child)}>"] = child.text
        elif shape.members[name].serialization.get("flattened"):
            members.setdefault(name, []).append(_from_xml(shape.members[name].member, child))
        elif name in members:
            members[f"a second {name}"] = child.text
        else:
            members[name] = _from_xml(shape.members[name], child)
    return members


def _from_text(shape: Any, text: str) -> Any:
    """Return TEXT converted to SHAPE's type, or TEXT."""
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if shape.type_name in ("float", "double") and re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", text):
        return float(text)
    return {"true": True, "false": False}.get(text, text) if shape.type_name == "boolean" else text


def _is_time(shape: Any, value: float | str) -> bool:
    form = shape.serialization.get("timestampFormat")
    if isinstance(value, int | float):
        return form in (None, "unixTimestamp")
    for name, pattern in WHEN.items():
        if form in (None, name) and re.fullmatch(pattern, value):
            try:
                return bool(parsedate_to_datetime(value) if name == "rfc822" else datetime.fromisoformat(value))
            except ValueError:
                return False
    return False


def _is_base64(value: str) -> bool:
    try:
        return bool(base64.b64decode(value, validate=True)) or not value
    except binascii.Error:
        return False
