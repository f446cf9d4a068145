"""Requirements files, as pip reads them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from longshore.errors import BadInput
from longshore.snapshot.snapshot import Snapshot

INCLUDED = re.compile(r"""\s*(-r|-c|--requirement|--constraint)[ =]?\s*("[^"]+"|'[^']+'|\S+)""")
PLACE = re.compile(r"(?:(?:-e|--editable)[ =]?)?\s*(?:file:(?!//))?([^\s\[\];@#]+)\s*(?:\[([^]]*)\])?")
WHEELS = re.compile(r"(?:-f|--find-links)[ =]?\s*(\S+)")
# What `pip freeze` writes on Ubuntu, Windows or macOS, and no Linux installs; where a marker says so, pip knows.
FOREIGN = re.compile(r"(?i)(pkg[-_]resources|(pypi|py)win32|pywinpty|windows-curses|pyobjc[\w-]*)\s*([=<>~!][^;]*)?\Z")
FREEZE = "`pip list --format=freeze > requirements.txt`"  # without places on that machine, unlike `pip freeze`
ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2")
LINK = "120000"  # how git's modes of links begin


class Requirements(Struct, frozen=True, kw_only=True):
    """What a requirements file says with all that it includes.

    `lines` are those about releases, and options, each without its line breaks; `constraints` likewise. `project` are
    the extras of the project itself where it is among them, else None. `files` decide it: those that were read, and
    what is in folders of the repository that are installed. `local` says whether anything of the repository is,
    `less` whether a line was left out.
    """

    lines: tuple[str, ...]
    constraints: tuple[str, ...]
    project: tuple[str, ...] | None
    files: tuple[str, ...]
    local: bool
    less: bool


def read(name: str, sources: Snapshot, folder: str = "") -> Requirements:
    """Read the requirements file NAME, for pip that runs in FOLDER, which ends with a slash or is the top.

    Raises BadInput where the sources lack it, or what it includes.
    """
    files = dict[str, None]()
    return of(_lines(name, sources, "-r", files), sources, files, folder)


def of(said: Iterable[tuple[str, str]], sources: Snapshot, files: dict[str, None], folder: str = "") -> Requirements:
    """Return what lines that are SAID, each after `-r` or `-c`, amount to; FILES were read, if SAID is used up.

    The lines name places from FOLDER, where the project itself is, and what is returned names them from the top.
    """
    lines: dict[str, list[str]] = {"-r": [], "-c": [], "": []}
    extras, folders, itself = list[str](), dict[str, None](), False
    for kind, line in said:
        place = WHEELS.match(line) or PLACE.match(line)
        path = posixpath.normpath(folder + place[1]) if place else ""
        if place and place.re is PLACE and path == posixpath.normpath(folder):
            itself = True
            extras += [extra.strip() for extra in (place[2] or "").split(",") if extra.strip()]
        elif place and (inside := _inside(place, path, sources)):  # as it is now, since a virtualenv is shared
            folders |= dict.fromkeys(inside)
            lines[kind].append(f"{'--find-links ' * (place.re is WHEELS)}./{path}{line[place.end(1) :]}")
        elif "@ file:///" in line:
            raise BadInput(f"{line} is a place on another machine", hint=f"{FREEZE} there writes releases")
        else:
            lines["" if FOREIGN.match(line) else kind].append(line)
    return Requirements(
        lines=tuple(lines["-r"]),
        constraints=tuple(lines["-c"]),
        project=tuple(extras) if itself else None,
        files=tuple(files | folders),
        local=itself or bool(folders),
        less=bool(lines[""]),
    )


def _inside(place: re.Match[str], path: str, sources: Snapshot) -> list[str]:
    """Return the files of the repository that PATH is or holds, if pip takes PLACE, which names it, for a path."""
    if place.re is WHEELS:  # pip looks at archives there, and no deeper
        archives = (name for name in sources.entries if name.endswith(ARCHIVES))
        return [name for name in archives if posixpath.normpath(posixpath.dirname(name)) == path]
    if place[1].startswith(".") or "/" in place[1] or place[1].endswith(ARCHIVES):
        return [name for name in sources.entries if name == path or name.startswith(f"{path}/")]
    return []


def _lines(name: str, sources: Snapshot, kind: str, files: dict[str, None]) -> Iterator[tuple[str, str]]:
    """Yield each line of the file NAME and of those that it includes, after KIND: `-r`, or `-c` of a constraint."""
    if name in files:
        return
    if name not in sources.entries:
        by = f"{list(files)[-1]} includes" if files else "the settings name"
        raise BadInput(f"{by} {name}, which the sources do not have", hint="add it to git, or take out the line")
    files[name] = None
    text = sources.text(name)
    if sources.entries[name].startswith(LINK):  # which holds the name of the file
        yield from _lines(posixpath.normpath(posixpath.join(posixpath.dirname(name), text)), sources, kind, files)
        return
    for whole in text.replace("\\\n", " ").splitlines():
        line = re.split(r"(?:^|\s)#", whole)[0].strip()
        included = INCLUDED.match(line)
        if included and "://" not in included[2]:  # what is elsewhere, pip gets
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), included[2].strip("\"'")))
            bound = kind == "-c" or included[1] in ("-c", "--constraint")
            yield from _lines(other, sources, "-c" if bound else "-r", files)
        elif line:
            yield kind, line
