"""The build context: the files of a snapshot that a builder is sent, by the rules of Docker's ignore files.

They are those of moby's `patternmatcher`: patterns are read from top to bottom, the last one that fits a file or a
folder above it decides, and `!` lets it in again.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable

IGNORE = ".dockerignore"
# What is left out where Longshore makes the Dockerfile and no ignore file says otherwise: what only a repository needs.
ONLY = ("k8s", "terraform", "tests", "docs", "longshore.toml", "tasks.py", "noxfile.py", "**/__pycache__", "**/*.pyc")
# Hidden files are, too, but for those that a build of assets goes by.
KEPT = (
    *(".npmrc", ".yarnrc*", ".yarn/patches", ".yarn/plugins", ".yarn/releases", ".pnpmfile.cjs"),
    *(".babelrc*", ".browserslistrc", ".parcelrc", ".postcssrc*", ".swcrc"),
)
GENERATED = "".join(f"{line}\n" for line in (".*", *(f"!{name}" for name in KEPT), *ONLY))
_PIECES = re.compile(r"\*\*/?|\*|\?|\[\^?[^\]]+\]|\\.|.", re.DOTALL)


def ignore_file(dockerfile: str, names: Iterable[str]) -> str:
    """Return which of NAMES says what a build by DOCKERFILE leaves out, an empty text where none does."""
    return next((name for name in (f"{dockerfile}{IGNORE}", IGNORE) if name in names), "")


def selector(text: str) -> Callable[[str], bool]:
    """Return a test for the names of files that the ignore file TEXT leaves in the context."""
    rules = [rule for line in text.removeprefix("\ufeff").splitlines() if (rule := _rule(line))]
    folders: dict[str, tuple[bool, ...]] = {"": (False,) * len(rules)}

    def fitting(name: str) -> tuple[bool, ...]:
        """Return for each rule whether it fits NAME or a folder above it."""
        if (known := folders.get(name)) is None:
            above = fitting(name.rpartition("/")[0])
            pairs = zip(rules, above, strict=True)
            known = folders[name] = tuple(fits or bool(pattern.fullmatch(name)) for (pattern, _), fits in pairs)
        return known

    def kept(name: str) -> bool:
        above, out = fitting(name.rpartition("/")[0]), False
        for (pattern, leaves_out), fits in zip(rules, above, strict=True):
            if leaves_out != out and (fits or pattern.fullmatch(name)):
                out = leaves_out
        return not out

    return kept


def _rule(line: str) -> tuple[re.Pattern[str], bool] | None:
    """Return what a LINE of an ignore file fits, and whether that is left out; None for a line that says nothing."""
    pattern = line.strip()
    if not pattern or line.startswith("#"):
        return None
    leaves_out = not pattern.startswith("!")
    pattern = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
    return re.compile("".join(map(_regex, _PIECES.findall(pattern))), re.DOTALL), leaves_out


def _regex(piece: str) -> str:
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if piece in special or (piece.startswith("[") and len(piece) > 1):
        return special.get(piece, piece)
    return re.escape(piece[1:] if piece.startswith("\\") and len(piece) > 1 else piece)
