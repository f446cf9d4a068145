"""Which mirrors this machine's apt uses, in both of apt's formats. Only what a base image needs is read."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")
POCKETS = ("", "-updates", "-security")  # a suite is a codename and one of these; no backports
KEPT_OPTIONS = ("signed-by", "trusted")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One repository of binary packages."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    @property
    def line(self) -> str:
        """The repository in the one-line format."""
        options = " ".join(f"{key}={value}" for key, value in self.options)
        return " ".join(
            ("deb", *([f"[{options}]"] if options else []), self.uri, self.suite, *self.components)
        )


def mirrors(release: str, *, apt: Path = APT, os_release: Path = OS_RELEASE) -> tuple[Source, ...]:
    """Return the repositories that carry Debian RELEASE ("bookworm"); none on a machine that is not Debian.

    A Debian of another release names mirrors that carry RELEASE as well.
    """
    facts = dict(line.split("=", 1) for line in _text(os_release).splitlines() if "=" in line)
    if facts.get("ID", "").strip('"') != "debian":
        return ()
    return debian(read(apt), facts.get("VERSION_CODENAME", "").strip('"'), release)


def debian(sources: Iterable[Source], codename: str, release: str) -> tuple[Source, ...]:
    """Keep Debian's own repositories among SOURCES, the suites of CODENAME turned into those of RELEASE."""
    suites = {
        f"{name}{pocket}": f"{release}{pocket}"
        for name in (codename, "stable", release)
        for pocket in POCKETS
    }
    kept = [
        replace(source, suite=suites[source.suite], components=("main",))
        for source in sources
        if source.suite in suites and "main" in source.components and _is_debian(source.uri)
    ]
    return tuple(dict.fromkeys(kept))


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
            yield Source(
                uri=words[1], suite=words[2], components=tuple(words[3:]),
                options=tuple((key, value) for key, value in pairs if key in KEPT_OPTIONS),
            )  # fmt: skip


def deb822(text: str) -> Iterator[Source]:
    """Parse the format of stanzas, `Types: deb` and so on."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in "\n".join(line.rstrip() for line in lines).split("\n\n"):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in (
            "no",
            "false",
            "0",
        ):
            continue
        # A key may be written out in the file itself, which the one-line format cannot carry.
        options = tuple(
            (key, ",".join(fields[key].split()))
            for key in KEPT_OPTIONS
            if key in fields and "BEGIN PGP" not in fields[key]
        )
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                components = tuple(fields.get("components", "").split())
                yield Source(uri=uri, suite=suite, components=components, options=options)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith((" ", "\t")):
            fields[key] = f"{fields.get(key, '')}\n{line.strip()}"
        elif ":" in line:
            key, _, value = line.partition(":")
            key = key.strip().lower()
            fields[key] = value.strip()
    return fields


def _is_debian(uri: str) -> bool:
    """Tell Debian's own archive, wherever it is mirrored, from others that use the same suite names."""
    return any(part.startswith("debian") for part in urlsplit(uri).path.split("/"))


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
