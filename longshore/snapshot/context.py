"""The build context: the files of a snapshot that a builder is sent, by the rules of Docker's ignore files.

They are those of moby's `patternmatcher`: patterns are read from top to bottom, the last one that fits a file or a
folder above it decides, and `!` lets it in again.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable

from longshore.errors import BadInput

IGNORE = ".dockerignore"
# What is left out where Longshore makes the Dockerfile and no ignore file says otherwise: what only a repository needs.
ONLY = ("k8s", "terraform", "tests", "docs", "longshore.toml", "tasks.py", "noxfile.py", "**/__pycache__", "**/*.pyc")
# Hidden files are, too, but for those that a build of assets goes by.
KEPT = (
    *(".npmrc", ".yarnrc*", ".yarn/patches", ".yarn/plugins", ".yarn/releases", ".pnpmfile.cjs"),
    *(".babelrc*", ".browserslistrc", ".parcelrc", ".postcssrc*", ".swcrc"),
)
GENERATED = "".join(f"{line}\n" for line in (".*", *(f"!{name}" for name in KEPT), *ONLY))
_PIECES = re.compile(
    r"(?:\*\*/)+|\*\*|\*|\?|\[(?:\^|(?!\^))(?:(?:\\.|[^\]\\-])(?:-(?:\\.|[^\]\\-]))?)+\]|\\.|.", re.DOTALL
)


def ignore_file(dockerfile: str, names: Iterable[str]) -> str:
    """Return which of NAMES says what a build by DOCKERFILE leaves out, an empty text where none does."""
    return next((name for name in (f"{dockerfile}{IGNORE}", IGNORE) if name in names), "")


def selector(text: str, file: str = IGNORE) -> Callable[[str], bool]:
    """Return a test for the names of files that TEXT, of the ignore FILE, leaves in the context. Raises BadInput."""
    rules = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        try:
            rules += [rule] if (rule := _rule(line)) else []
        except re.error as problem:
            hint = "`\\[` is a bracket itself; Docker takes no such pattern either"
            raise BadInput(f"{file}:{number}: {line.strip()} is no pattern: {problem}", hint=hint) from None
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
    return re.compile(_whole(_PIECES.findall(pattern)), re.DOTALL), leaves_out


def _whole(pieces: list[str]) -> str:
    """Return PIECES of a pattern as one expression.

    What a star took stays once the next star, which may take as much, is reached: else many stars would take hours.
    """
    text, begun, star = "", 0, ""
    for piece in pieces:
        if piece.startswith("*"):
            if star and piece in (star, "**"):
                text = f"{text[:begun]}(?>{text[begun:]})"
            begun, star = len(text), "" if piece.endswith("/") else piece
        elif piece.startswith("["):  # it may fit a slash
            star = ""
        text += _regex(piece)
    return text


def _regex(piece: str) -> str:
    if piece.startswith("["):
        if len(piece) == 1:
            raise re.error("a bracket that nothing closes")
        return "[" + re.sub(
            r"\\(.)|([\[&~|])", lambda found: re.escape(found[1] or found[2]), piece[1:], flags=re.DOTALL
        )
    if piece.startswith("**/"):
        return "(?:.*/)?"
    special = {"**": ".*?", "*": "[^/]*?", "?": "[^/]"}
    return special.get(piece) or re.escape(piece[1:] if piece.startswith("\\") and len(piece) > 1 else piece)
