"""Documents as a damaged disk, another version or an enemy would leave them: valid ones with parts replaced."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-3, max_value=3),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", "\x1b[2J", "../x", "/etc/passwd", "List", "v1", "Deployment", "2026-01-01", "\u202e", "-1"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
BYTES = st.binary(max_size=60) | st.sampled_from(
    [b"[" * 2_000, b'{"a":' * 2_000, b"null", b"[]", b"{}", b"0", b"NaN", b"1e999", b"9" * 5000, b'"\\ud800"', b"\xff"]
)


@st.composite
def damaged(draw: st.DrawFn, document: Any) -> Any:
    """Draw DOCUMENT with one to three of its parts replaced, removed, repeated or renamed."""
    whole = [copy.deepcopy(document)]
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(_parts(whole)))
        match draw(st.sampled_from(["replace", "replace", "remove", "repeat", "rename"])):
            case "remove" if holder is not whole:
                del holder[key]
            case "repeat" if isinstance(holder, list) and holder is not whole:
                holder.append(copy.deepcopy(holder[key]))
            case "rename" if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = holder.pop(key)
            case _:
                holder[key] = draw(VALUES)
    return whole[0]


def _parts(value: Any) -> list[tuple[Any, Any]]:
    """Return each container in VALUE with each of its keys."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        found += [(value, key), *_parts(part)]
    return found


def files(document: Any) -> st.SearchStrategy[bytes]:
    """Return a strategy of files: any bytes, or DOCUMENT as JSON, damaged, and perhaps cut off."""
    whole = damaged(document).map(lambda part: json.dumps(part).encode())
    return st.one_of(
        BYTES, whole, st.tuples(whole, st.floats(0, 1)).map(lambda pair: pair[0][: int(len(pair[0]) * pair[1])])
    )


few = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
