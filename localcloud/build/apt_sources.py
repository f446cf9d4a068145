"""The mirrors that this machine's apt uses, read from both of its formats, as far as a base image needs them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from email import message_from_string
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
POCKETS = ("", "-updates", "-security")  # a suite is a codename and one of these; no backports
KEPT_OPTIONS = ("signed-by", "trusted")


class Source(Struct, frozen=True):
    """One repository of binary packages."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> str:
        """The repository in the one-line format."""
        options = " ".join(f"{key}={value}" for key, value in self.options)
        return " ".join(("deb", *([f"[{options}]"] if options else []), self.uri, self.suite, *self.components))


def mirrors(release: str, *, apt: Path = APT, os_release: Path = OS_RELEASE) -> tuple[Source, ...]:
    """Return the repositories that carry Debian RELEASE, as any Debian's mirrors do; none if this is not Debian."""
    facts = dict(line.split("=", 1) for line in _text(os_release).splitlines() if "=" in line)
    if facts.get("ID", "").strip('"') != "debian":
        return ()
    return debian(read(apt), facts.get("VERSION_CODENAME", "").strip('"'), release)


def debian(sources: Iterable[Source], codename: str, release: str) -> tuple[Source, ...]:
    """Return Debian's own repositories among SOURCES, with the suites of CODENAME replaced by those of RELEASE."""
    suites = {f"{name}{pocket}": f"{release}{pocket}" for name in (codename, "stable", release) for pocket in POCKETS}
    usable = [
        replace(source, suite=suites[source.suite], components=("main",))
        for source in sources
        if source.suite in suites and "main" in source.components and _is_debian(source.uri)
    ]
    return tuple(dict.fromkeys(usable))


def read(apt: Path) -> Iterator[Source]:
    """Yield every enabled repository below APT, usually /etc/apt."""
    yield from one_line(_text(apt / "sources.list"))
    for file in sorted((apt / "sources.list.d").glob("*")):
        if file.suffix == ".list":
            yield from one_line(_text(file))
        elif file.suffix == ".sources":
            yield from deb822(_text(file))


def one_line(text: str) -> Iterator[Source]:
    """Parse the format `deb [key=value ...] URI SUITE COMPONENT...`."""
    for line in text.splitlines():
        words = shlex.split(line.replace("[", " [ ").replace("]", " ] "), comments=True)
        if len(words) < 3 or words[0] != "deb":
            continue
        options: list[str] = []
        if words[1] == "[" and "]" in words:
            options, words = words[2 : words.index("]")], ["deb", *words[words.index("]") + 1 :]]
        if len(words) >= 3:
            pairs = (option.split("=", 1) for option in options if "=" in option)
            kept = tuple((key, value) for key, value in pairs if key in KEPT_OPTIONS)
            yield Source(words[1], words[2], tuple(words[3:]), kept)


def deb822(text: str) -> Iterator[Source]:
    """Parse the format of stanzas, `Types: deb` and so on."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(line.rstrip() for line in lines).split("\n\n"):
        fields = message_from_string(stanza.lstrip())  # the same syntax as the headers of a mail
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        given = ((key, ",".join(fields.get(key, "").split())) for key in KEPT_OPTIONS)
        # A key may be embedded in the file, which the one-line format cannot express.
        options = tuple((key, value) for key, value in given if value and "BEGIN,PGP" not in value)
        for uri, suite in product(fields.get("uris", "").split(), fields.get("suites", "").split()):
            yield Source(uri, suite, tuple(fields.get("components", "").split()), options)


def _is_debian(uri: str) -> bool:
    """Whether URI is Debian's archive or a mirror of it, not another archive that uses the same suite names."""
    return any(part.startswith("debian") for part in urlsplit(uri).path.split("/"))


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
