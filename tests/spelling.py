"""The ways in which programs write a value down, to look for secrets in what a run leaves."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterable
from urllib.parse import quote

FORMS: list[Callable[[str], str]] = [
    str,
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(json.dumps(value))[3:-3],
    lambda value: repr(value)[1:-1],
    shlex.quote,
    html.escape,
    lambda value: quote(value, safe=""),
    lambda value: re.sub("%..", lambda code: code[0].lower(), quote(value, safe="/")),
    lambda value: value.encode().hex(),
    lambda value: value.encode().hex().upper(),
    lambda value: base64.b64encode(value.encode()).decode(),
    lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    lambda value: base64.b64encode(b"x:" + value.encode() + b":y").decode(),
    lambda value: base64.b64encode(json.dumps({"password": value}).encode()).decode(),
    lambda value: textwrap.indent(value, "    "),
    lambda value: value.replace("\n", "\r\n"),
    lambda value: value.replace("\n", " "),
]


def leaked(text: str, values: Iterable[str]) -> list[str]:
    """Return the forms of VALUES that are in TEXT, whatever the wrapping.

    Without their last characters: padding, and in base64 also bits of neighbours.
    """
    flat = "".join(text.split())
    forms = {form(value) for value in values for form in FORMS}
    return [form for form in ("".join(form.split())[:-4] for form in forms) if len(form) >= 6 and form in flat]
