"""A secret does not leave, in whatever form and however it is cut."""

from __future__ import annotations

import base64
import html
import json
import shlex
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from longshore.process.command import Secret
from longshore.process.redaction import Redactor, secrets_in

VALUE = "correct horse/battery+staple"
KEY = f"""-----BEGIN {"PRIVATE"} KEY-----
MC4CAQAwBQYDK2VwBCIEIJfYxRpdj1TqRcUgHFOCpnUxzlkHvBPXjDqYbFyTnZ0s
aQ9sPq0WmXoRk3EJZ2uVtBvZyEw0hVdLrFLx8cJpGzq4uKdYtYf1XvWmHnCeSgRb
fQ==
-----END PRIVATE KEY-----
"""


def through(redactor: Redactor, chunks: Iterable[bytes]) -> bytes:
    stream = redactor.stream()
    return b"".join([*map(stream.feed, chunks), stream.flush()])


def b64(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def dumped(value: str) -> str:
    return json.dumps(value)[1:-1]


# What a program may make of a value.
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": dumped,
    "json, unescaped letters": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "json in json": lambda value: dumped(dumped(value)),
    "json in json in json": lambda value: dumped(dumped(dumped(value))),
    "json of Go": lambda value: dumped(value).replace("<", "\\u003c").replace(">", "\\u003E").replace("&", "\\u0026"),
    "json of PHP": lambda value: dumped(value).replace("/", "\\/"),
    "repr": lambda value: repr(value)[1:-1],
    "repr of bytes": lambda value: repr(value.encode())[2:-1],
    "repr of a text with a quote": lambda value: repr(value + "'")[1:-1].removesuffix("'").removesuffix("\\"),
    "shell": lambda value: "'" + value.replace("'", "'\\''") + "'",
    "shlex": shlex.quote,
    "shell, escaped": lambda value: "".join(char if char.isalnum() else f"\\{char}" for char in value),
    "yaml, sql": lambda value: "'" + value.replace("'", "''") + "'",
    "csv": lambda value: '"' + value.replace('"', '""') + '"',
    "html": html.escape,
    "html, quotes as they are": lambda value: html.escape(value, quote=False),
    "xml": lambda value: html.escape(value).replace("&#x27;", "&apos;").replace("&quot;", "&#34;"),
    "url": lambda value: quote(value, safe=""),
    "url, slashes as they are": lambda value: quote(value, safe="/"),
    "url, as JavaScript does": lambda value: quote(value, safe="!'()*~"),
    "url, lower case": lambda value: "".join(
        c if c.isalnum() and c.isascii() else quote(c, safe="").lower() for c in value
    ),
    "url, twice": lambda value: quote(quote(value, safe=""), safe=""),
    "form": quote_plus,
    "hex": lambda value: value.encode().hex(),
    "hex, upper case": lambda value: value.encode().hex().upper(),
    "hex, wrapped": lambda value: "\n".join(textwrap.wrap(value.encode().hex(), 60)),
    "base64": b64,
    "base64 after a byte": lambda value: b64("a" + value),
    "base64 of json": lambda value: b64(json.dumps(value)),
    "base64 after two bytes": lambda value: b64("ab" + value + "c"),
    "base64url": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "base64, wrapped": lambda value: base64.encodebytes(b"user:" + value.encode()).decode(),
    "base64, wrapped and indented": lambda value: "\r\n    ".join(textwrap.wrap(b64(value), 64)),
    "base64, wrapped, in json": lambda value: dumped(base64.encodebytes(value.encode()).decode()),
    "base64, in a url": lambda value: quote(b64(value), safe=""),
    "folded": lambda value: "\n".join(value[at : at + 20] for at in range(0, len(value), 20)),
    "partly in colour": lambda value: f"{value[:4]}\x1b[01;31m\x1b[K{value[4:]}\x1b[m",
}
# What a program may make of a value that has several lines.
LINES: dict[str, Callable[[str], str]] = {
    "indented": lambda value: textwrap.indent(value, "        "),
    "CRLF": lambda value: value.replace("\n", "\r\n"),
    "unterminated": str.rstrip,
    "on one line": lambda value: value.replace("\n", " "),
    "without line breaks": lambda value: value.replace("\n", ""),
    "escaped line breaks": lambda value: value.replace("\n", "\\n"),
    "quoted lines": lambda value: textwrap.indent(value, "> "),
}
CHARACTERS = "abcXYZ0189+/=_-.,:;!?@#$%^&*()[]{}<>'\"\\|`~ éß€😀"
secrets = st.text(CHARACTERS, min_size=8, max_size=60).map(str.strip).filter(lambda value: len(value) >= 8)
tokens = st.text("abcdefXYZ0123456789", min_size=16, max_size=70)
cuts = st.lists(st.integers(0, 400), max_size=6).map(sorted)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@settings(max_examples=800, deadline=2000, derandomize=True, database=None)
@given(value=secrets, other=secrets, form=st.sampled_from(sorted(FORMS)), at=cuts)
@example(value="a'b\"c\\d%e&f", other="another one", form="json in json", at=[12, 14])
@example(value="\\\\\\\\\\\\\\\\", other="another one", form="json in json in json", at=[9])
@example(value="''''''''", other="another one", form="shell", at=[9])
@example(value="%25%25%25%25", other="another one", form="url, twice", at=[9])
@example(value="&amp;&amp;&amp;", other="another one", form="html", at=[9])
def test_no_form_of_a_secret_passes_however_the_stream_is_cut(value: str, other: str, form: str, at: list[int]) -> None:
    data = f"BEFORE {FORMS[form](value)} AFTER\nNEXT\n".encode()
    shown = through(Redactor([Secret(other), Secret(value)]), cut(data, at)).decode()
    assert shown.startswith("BEFORE ")
    assert shown.endswith(" AFTER\nNEXT\n")
    # Quotes, and up to two characters of base64 that also hold bits of the neighbours, are left around the mask.
    rest = shown.removeprefix("BEFORE ").removesuffix(" AFTER\nNEXT\n").replace("[redacted]", "").split()
    assert len("".join(rest)) <= (10 if "base64" in form or "colour" in form else 2)


@settings(max_examples=200, deadline=2000, derandomize=True, database=None)
@given(lines=st.lists(tokens, min_size=2, max_size=5), short=st.sampled_from(["", "fQ==", "x1"]), at=cuts)
@pytest.mark.parametrize("form", LINES)
def test_no_line_of_a_secret_passes(form: str, lines: list[str], short: str, at: list[int]) -> None:
    value = "\n".join(filter(None, [*lines, short])) + "\n"
    data = f"BEFORE\n{LINES[form](value)}AFTER\n".encode()
    shown = through(Redactor([Secret(value)]), cut(data, at)).decode()
    assert "[redacted]" in shown
    assert not [line for line in lines if line in shown]


@settings(max_examples=200, deadline=2000, derandomize=True, database=None)
@given(value=tokens, more=tokens, at=cuts)
def test_a_secret_that_is_the_beginning_of_another_does_not_uncover_it(value: str, more: str, at: list[int]) -> None:
    data = f"a {value}{more} and {value}\n".encode()
    shown = through(Redactor([Secret(value), Secret(value + more)]), cut(data, at))
    assert shown == b"a [redacted] and [redacted]\n"


@settings(max_examples=300, deadline=2000, derandomize=True, database=None)
@given(text=st.text(CHARACTERS + "\n\t\r\x1b", max_size=300), at=cuts, value=tokens)
def test_what_holds_no_secret_passes_unchanged(text: str, at: list[int], value: str) -> None:
    data = text.encode()
    assert through(Redactor([Secret(value + "!")]), cut(data, at)) == data


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_a_secret_split_across_chunks_is_redacted(size: int) -> None:
    stream = f"before {VALUE} after {VALUE}{VALUE}\n".encode()
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert through(Redactor([Secret(VALUE)]), chunks) == b"before [redacted] after [redacted][redacted]\n"


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
def test_base64_of_a_text_that_holds_the_secret_is_redacted(before: str) -> None:
    encoded = base64.b64encode(f"{before}{VALUE}:tail".encode()).decode()
    shown = Redactor([Secret(VALUE)]).text(f"Authorization: Basic {encoded}")
    assert "[redacted]" in shown
    assert VALUE.encode()[4:16] not in base64.b64decode(shown.rpartition("]")[2] + "====")


@pytest.mark.parametrize(
    "printed",
    [
        KEY,
        KEY.rstrip(),
        textwrap.indent(KEY, "    "),
        KEY.replace("\n", "\r\n"),
        KEY.replace("\n", " "),
        json.dumps({"key": json.dumps({"key": KEY})}),
        base64.encodebytes(KEY.encode()).decode(),
        KEY.encode().hex(),
        KEY.splitlines()[2],
    ],
)
def test_no_line_of_a_key_is_readable(printed: str) -> None:
    shown = Redactor([Secret(KEY)]).text(printed)
    assert not [
        line for line in KEY.splitlines()[1:3] for form in (line, b64(line)[2:-4], line.encode().hex()) if form in shown
    ]


def test_a_part_of_a_long_secret_is_redacted_where_the_rest_was_cut_off() -> None:
    token = "k8s-aws-v1." + base64.urlsafe_b64encode(bytes(range(256)) * 4).decode()
    shown = Redactor([Secret(token)]).text(f"Bearer {token[:900]}…")
    assert shown.startswith("Bearer [redacted]")
    assert len(shown.replace("[redacted]", "")) < 256


def test_a_secret_is_redacted_from_the_moment_it_is_known() -> None:
    redactor = Redactor()
    stream = redactor.stream()
    assert stream.feed(f"{VALUE}\n".encode()) == f"{VALUE}\n".encode()
    redactor.add(Secret(VALUE))
    assert stream.feed(f"{VALUE}\n".encode()) + stream.flush() == b"[redacted]\n"


def test_lines_that_cannot_belong_to_a_secret_pass_at_once() -> None:
    stream = Redactor([Secret("s3cr3t-of-seed")]).stream()
    assert stream.feed(b"one\ntwo\nthr") == b"one\ntwo\n"
    assert stream.feed(b"ee\n") == b"three\n"


def test_a_line_that_may_be_the_first_of_a_wrapped_secret_is_held_until_nothing_follows() -> None:
    stream = Redactor([Secret(VALUE)]).stream()
    encoded = b64(VALUE).encode()
    assert stream.feed(b"one\n" + encoded[:20] + b"\n") == b"one\n"
    assert stream.settle() == encoded[:20] + b"\n"
    assert stream.feed(b"two\n") == b"two\n"
    assert stream.feed(encoded[:20] + b"\n" + encoded[20:] + b"\n") == b"[redacted]Q==\n"


def test_a_line_without_end_is_not_held_for_ever() -> None:
    stream = Redactor([Secret(VALUE)]).stream()
    shown = [stream.feed(b"x" * 10_000) for _ in range(50)]
    assert sum(map(len, shown)) > 400_000
    shown += [stream.feed(VALUE[:9].encode()), stream.feed(VALUE[9:].encode() + b"y" * 100_000), stream.flush()]
    assert b"".join(shown) == b"x" * 500_000 + b"[redacted]" + b"y" * 100_000


@pytest.mark.parametrize("value", ["12345", " ab \n", "password", "Production", "true"])
def test_short_values_and_common_words_are_left_alone(value: str) -> None:
    assert Redactor([Secret(value)]).text(f"the {value} is") == f"the {value} is"


def test_the_heading_of_a_key_is_no_secret() -> None:
    heading = f"found {KEY.splitlines()[0]}"
    assert Redactor([Secret(KEY)]).text(heading) == heading


def test_all_texts_of_data_are_redacted() -> None:
    data = {"a": [VALUE, 1, None, {"b": f"x{VALUE}"}], "c": (True, 0.5)}
    assert Redactor([Secret(VALUE)]).data(data) == {
        "a": ["[redacted]", 1, None, {"b": "x[redacted]"}],
        "c": [True, 0.5],
    }


def test_a_file_that_another_program_wrote_becomes_private_and_is_redacted(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(f"<out>{VALUE}</out>")
    redactor = Redactor([Secret(VALUE)])
    redactor.file(path)
    redactor.file(tmp_path / "not there")
    assert path.read_text() == "<out>[redacted]</out>"
    assert path.stat().st_mode & 0o777 == 0o600


def test_variables_whose_names_say_so_hold_secrets() -> None:
    environ = {
        "CI_JOB_TOKEN": "a-1",
        "AWS_SECRET_ACCESS_KEY": "b-2",  # pragma: allowlist secret
        "DB_PASSWORD": "c-3",  # pragma: allowlist secret
        "PIP_INDEX_URL": "https://ada:d-4@pypi.example/simple",  # pragma: allowlist secret
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/no",
        "PATH": "/bin",
        "KEYBOARD": "no",
        "HOMEPAGE": "https://example.org:443/a@b",
    }
    assert [secret.reveal() for secret in secrets_in(environ)] == ["a-1", "b-2", "c-3", "d-4"]


def test_lines_pass_at_once_where_no_secret_is_known() -> None:
    assert Redactor().stream().feed(b"hello\n") == b"hello\n"


def test_a_secret_has_no_readable_form() -> None:
    secret = Secret(VALUE)
    assert VALUE not in f"{secret} {secret!r} {[secret]}"
