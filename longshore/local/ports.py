"""Ports of this machine that a part wants to listen on: whether they are free, and who has them if not."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from longshore.errors import Precondition

LISTENING = "0A"
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def require_free(address: str, port: int, *, purpose: str, hint: str) -> None:
    """Raise Precondition, naming PORT and the process that has it, unless PORT can be listened on."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
        except OSError:
            by = holder(port)
            raise Precondition(
                f"port {port} is taken{by and f' by {by}'}; {purpose} needs it", hint=hint
            ) from None


def answers(address: str, port: int) -> bool:
    """Return whether something accepts connections on PORT."""
    try:
        socket.create_connection((address, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def holder(port: int) -> str:
    """Return "NAME (pid N)" of the process that listens on PORT, an empty text where that cannot be seen."""
    sockets = {
        f"socket:[{inode}]"
        for table in TABLES
        if table.exists()
        for inode in listeners(table.read_text(), port)
    }
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(descriptor) in sockets for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return ""


def listeners(table: str, port: int) -> list[str]:
    """Return the inodes of the sockets in TABLE, the text of /proc/net/tcp, that listen on PORT."""
    rows = (line.split() for line in table.splitlines()[1:])
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
