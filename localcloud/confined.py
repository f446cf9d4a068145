"""The servers of an environment run as users of their own: without root's rights, its files or a way to get either.

Each of them answers to more than this user's commands: pods reach the local AWS, builds the registry, a browser the
edge. What one of them may read belongs to its user; all else in the environment's folders is root's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from localcloud.layout import Layout

# Numbers that neither distributions nor systemd give to anybody ("Users, Groups, UIDs and GIDs on systemd Systems");
# where this machine's user namespace has no such numbers, some of Debian's reserved ones.
RANGES = ((0x70000000, 0x7FFF0000), (30_000, 60_000))
PARTS = ("aws", "registry", "edge")
SCRIPT = Path(__file__).with_suffix(".sh")
MAP = Path("/proc/self/uid_map")


def user(layout: Layout, part: str) -> int:
    """Return the number of the user, and of its group, that PART runs as; it stays the same for the environment."""
    digest = int(hashlib.sha256(layout.id.encode()).hexdigest(), 16)
    for first, end in RANGES:
        number = first + len(PARTS) * (digest % ((end - first) // len(PARTS))) + PARTS.index(part)
        if mapped(number, MAP.read_text()):
            break
    return number


def mapped(number: int, table: str) -> bool:
    """Whether there is a user NUMBER here, by TABLE, the text of /proc/self/uid_map."""
    rows = (tuple(map(int, line.split())) for line in table.splitlines())
    return any(first <= number < first + count for first, _, count in rows)


def alive(layout: Layout, part: str, daemon: str = "") -> bool:
    """Whether PART lives, or its daemon called DAEMON, and is its user's.

    One that an older version has started as root is to be started again.
    """
    pid = layout.daemon(daemon or part).pid()
    try:
        return pid is not None and (os.geteuid() != 0 or os.stat(f"/proc/{pid}").st_uid == user(layout, part))
    except OSError:
        return False


def argv(layout: Layout, part: str, program: Iterable[str], visible: Iterable[Path]) -> tuple[str, ...]:
    """Return the command line that runs PROGRAM as PART's user, who gets to the folders VISIBLE, wherever they are.

    Without root (then the cluster is not ours) the program runs as whoever started it.
    """
    if os.geteuid() != 0:
        return tuple(program)
    # The layout's own folders are root's, and closed to others where the user's home is.
    folders = {folder for path in visible for folder in (path.absolute(), path.resolve())}
    covered = {folder for path in folders if (folder := closed(path))}
    shown = sorted(str(path) for path in folders if any(path.is_relative_to(folder) for folder in covered))
    stage = layout.run / f"{part}.stage"
    stage.mkdir(parents=True, exist_ok=True)
    script = ("unshare", "--mount", "--propagation=slave", "sh", str(SCRIPT), str(user(layout, part)), str(stage))
    return (*script, *shown, "--", *sorted(map(str, covered)), "--", *program)


def closed(path: Path) -> Path | None:
    """Return the outermost folder above PATH that only its owner may pass, or None."""
    return next(
        (above for above in reversed(path.parents) if above.exists() and not above.stat().st_mode & 0o001), None
    )


def own(layout: Layout, part: str, *paths: Path) -> None:
    """Have PATHS and all in them belong to PART's user alone. Existing environments have them from root.

    A folder is last, so that an interrupted change is repeated. Links themselves are changed, never what they lead to.
    """
    if os.geteuid() != 0:
        return
    number = user(layout, part)
    for path in paths:
        if path.is_dir() and path.lstat().st_uid != number:
            for parent, _, names in os.walk(path, topdown=False):
                for name in names:
                    os.lchown(os.path.join(parent, name), number, number)
                os.lchown(parent, number, number)
        elif path.lstat().st_uid != number:
            os.lchown(path, number, number)


def folder(layout: Layout, part: str, path: Path) -> None:
    """Have the folder PATH, PART's own."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    own(layout, part, path)


def passable(layout: Layout) -> None:
    """Let the servers' users pass through the environment's folders to their own; nobody else can list them."""
    for path in (layout.state, layout.run):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o711)
    layout.logs.mkdir(exist_ok=True)
    layout.logs.chmod(0o711)
    layout.describe(layout.run)  # for users whose environments are elsewhere


def log(layout: Layout, part: str, path: Path, *, reader: str = "") -> None:
    """Have the log PATH, to which PART appends, in a folder that is root's. READER, another part, may cut it."""
    path.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(path, user(layout, part), user(layout, reader or part))
        path.chmod(0o660 if reader else 0o600)
