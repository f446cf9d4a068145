"""The images that Dockerfiles and longshore.toml name, and the digests that their tags stand for today."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from longshore.image import registry
from longshore.image.registry import Reference, Unreachable
from longshore.snapshot.python import VARIABLE

# docs.docker.com/reference/dockerfile: FROM, and where another image's files are copied or mounted from.
FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
SOURCE = re.compile(r"(?:--from=|--mount=\S*?\bfrom=)([^\s,]+)", re.IGNORECASE)
SETTING = re.compile(r"""\s*(?:base_image|image|docker|buildkit)\s*=\s*["']([^"']+)["']""")
ARGUMENT = re.compile(r"""\s*ARG\s+(\w+)=["']?([^\s"']+)""", re.IGNORECASE)


class Named(Struct, frozen=True, kw_only=True):
    """An IMAGE as LINE of FILE names it, the DIGEST that its tag stands for, or the PROBLEM with asking."""

    file: str
    line: int
    image: str
    digest: str
    problem: str = ""

    @property
    def pinned(self) -> str:
        """The image with that digest; as it is named where that is not known."""
        return f"{self.image.partition('@')[0]}@{self.digest}" if self.digest else self.image


def ask(file: str, images: Iterator[tuple[int, str]], login: Callable[[str], str]) -> Iterator[Named]:
    """Ask the registry of each of IMAGES (line and name in FILE), with LOGIN's answer for its host."""
    for line, image in images:
        reference = Reference.of(image.partition("@")[0])
        try:
            digest = registry.digest(reference, login(reference.host))
            problem = "" if digest else f"{reference.host} has no such image"
        except Unreachable as refusal:
            digest, problem = "", str(refusal)
        yield Named(file=file, line=line, image=image, digest=digest, problem=problem)


def in_dockerfile(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and name of each image in a Dockerfile's TEXT, but no stage of its own and no variable.

    An argument that is a whole image is one, in the line that sets it; of one that is a part, no digest can be known.
    """
    stages = {"scratch"}
    arguments: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            continue
        if found := ARGUMENT.match(line):
            arguments.setdefault(found[1], (number, found[2]))
        begins = FROM.match(line)
        for name in [begins[1]] if begins else SOURCE.findall(line):
            if (variable := VARIABLE.fullmatch(name)) and (known := arguments.pop(variable[1] or variable[3], None)):
                yield from [known] if "$" not in known[1] and known[1].lower() not in stages else []
            if name.lower() not in stages and not name.isdecimal() and "$" not in name:
                yield number, name
        if begins and begins[2]:
            stages.add(begins[2].lower())


def in_settings(text: str) -> Iterator[tuple[int, str]]:
    """Yield line number and name of each image in longshore.toml's TEXT."""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := SETTING.match(line):
            yield number, found[1]


def replaced(text: str, images: dict[str, str]) -> str:
    """Return TEXT with each image of IMAGES by the name that it has there."""
    for old, new in images.items():
        text = re.sub(rf"(?<![\w./:@-]){re.escape(old)}(?![\w./:@-])", new, text)
    return text
