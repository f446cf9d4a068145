"""What was done before: small JSON records in the project's disposable folder."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: str | bytes, mode: int = 0o644, *, sync: bool = True) -> None:
    """Replace PATH by CONTENT so that a crash or a full disk leaves the old one: temporary file, fsync, rename.

    Without SYNC it does not wait for the disk, so that after a power cut whoever reads the file has to check it.
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


class Memory:
    """Records by name in one folder; a record that cannot be read is as good as none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str) -> dict[str, Any]:
        """Return the record called NAME, or an empty one."""
        try:
            found = json.loads((self.folder / f"{name}.json").read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def put(self, name: str, **record: Any) -> None:
        """Keep RECORD under NAME."""
        write_atomically(self.folder / f"{name}.json", json.dumps(record, indent=1) + "\n", 0o600)

    def forget(self, name: str) -> None:
        """Drop what is kept under NAME."""
        (self.folder / f"{name}.json").unlink(missing_ok=True)
