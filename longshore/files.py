"""Files that other processes read or write as well: replaced in one step, locked, kept as small records."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

import msgspec

from longshore.errors import LockHeld

T = TypeVar("T")
RETRY = 0.1  # seconds between two attempts to get a lock


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644, *, sync: bool = True) -> None:
    """Replace PATH by CONTENT so that a crash or a full disk leaves the old file: temporary file, fsync, rename.

    Without SYNC it does not wait for the disk, so a reader has to expect a damaged file after a power cut.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_if_changed(path: Path, content: str | bytes, mode: int = 0o644) -> bool:
    """Have PATH hold CONTENT with MODE. Return whether it had to be written."""
    data = content.encode() if isinstance(content, str) else content
    with suppress(FileNotFoundError):
        if path.read_bytes() == data and path.stat().st_mode & 0o777 == mode:
            return False
    write_atomically(path, data, mode)
    return True


def private_folder(path: Path) -> None:
    """Make the folder at PATH, or an existing one, this user's alone: it holds what programs print."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


@contextmanager
def locked(path: Path, wait: Callable[[float], object] | None = None) -> Iterator[TextIO]:
    """Lock the file PATH against other processes and threads; yield it, open for reading and appending.

    While somebody else holds it, WAIT is called with the seconds to pause and may raise to give up; without WAIT,
    raises LockHeld at once. A killed process leaves no lock behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if wait is None:
                    raise LockHeld(f"{path} is locked by another process") from None
            wait(RETRY)
        yield stream


def from_json(data: str | bytes, kind: type[T] | Any = Any) -> T | Any:
    """Return the JSON document DATA as KIND. Raises ValueError for anything else, however it is damaged.

    Half a surrogate pair is taken: that is how Python writes a file's name that is not UTF-8.
    """
    try:
        return msgspec.convert(json.loads(data), kind)
    except (ValueError, RecursionError) as problem:
        raise ValueError(str(problem)) from None


class Memory:
    """Records by name in one folder; one that is not there, or cannot be read, is empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = from_json((self.folder / f"{name}.json").read_bytes(), dict[str, Any])
            msgspec.json.encode(record)  # a ValueError where half a surrogate pair is left of a text
            return record
        except (OSError, ValueError):
            return {}

    def put(self, name: str, **record: Any) -> None:
        write_atomically(self.folder / f"{name}.json", json.dumps(record, indent=1) + "\n", 0o600)

    def forget(self, name: str) -> None:
        (self.folder / f"{name}.json").unlink(missing_ok=True)
