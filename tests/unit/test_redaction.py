"""A secret does not leave, in whatever form and however it is cut."""

from __future__ import annotations

import base64

import pytest

from longshore.command import Secret
from longshore.redaction import Redactor

VALUE = "correct horse/battery+staple"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_a_secret_split_across_chunks_is_redacted(size: int) -> None:
    redactor = Redactor([Secret(VALUE)])
    stream = f"before {VALUE} after {VALUE}{VALUE}\n".encode()
    shown = (
        b"".join(redactor.feed(stream[at : at + size]) for at in range(0, len(stream), size))
        + redactor.flush()
    )
    assert shown == b"before [redacted] after [redacted][redacted]\n"


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
def test_base64_of_a_text_that_holds_the_secret_is_redacted(before: str) -> None:
    encoded = base64.b64encode(f"{before}{VALUE}:tail".encode()).decode()
    shown = Redactor([Secret(VALUE)]).text(f"Authorization: Basic {encoded}")
    assert "[redacted]" in shown
    assert VALUE.encode()[4:16] not in base64.b64decode(shown.rpartition("]")[2] + "====")


def test_the_quoted_form_in_a_url_is_redacted() -> None:
    assert "[redacted]" in Redactor([Secret(VALUE)]).text(
        "https://x/?p=correct%20horse%2Fbattery%2Bstaple&y=1"
    )


def test_text_without_a_secret_passes_unchanged_and_undelayed() -> None:
    assert Redactor([]).feed(b"hello") == b"hello"


def test_a_secret_has_no_readable_form() -> None:
    secret = Secret(VALUE)
    assert VALUE not in f"{secret} {secret!r} {[secret]}"
