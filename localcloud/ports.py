"""Whether an address answers, and whether a port of this machine is free or which process has it."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from localcloud.daemon import owner
from longshore.errors import Precondition, StepFailed

LISTENING = "0A"
STATE_HEADER = "X-Longshore-State"  # names the state folder of the local AWS that a request is meant for
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def require_free(port: int, purpose: str, setting: str) -> None:
    """Raise Precondition, naming the process that has PORT on loopback, unless it is free; SETTING chooses another."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            pid = holder(port)
            known = owner(pid) if pid else None
            by = f" by {_name(pid)} (pid {pid})" if pid else ""
            end = "end that process"
            if known:
                by, end = (
                    f" by the {known[1]} of {known[0]} (pid {pid})",
                    f"`invoke local.down --id {known[0]}` ends it",
                )
            raise Precondition(
                f"port {port} is taken{by}; {purpose} needs it",
                hint=f"{end}, or set another {setting} in longshore.toml",
            ) from None


@contextmanager
def raced(*checks: Callable[[], None]) -> Iterator[None]:
    """Raise what CHECKS raise instead of StepFailed: another process may have taken a port since they passed."""
    try:
        yield
    except StepFailed:
        for check in checks:
            check()
        raise


def answers(address: str, port: int) -> bool:
    """Whether something accepts connections on PORT."""
    try:
        socket.create_connection((address, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def http_status(
    address: str, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, timeout: float = 0.5
) -> int:
    """Return the HTTP status of PATH at ADDRESS ("host:port"), or 0 if there is no answer in TIMEOUT seconds."""
    with closing(http.client.HTTPConnection(address, timeout=timeout)) as connection:
        try:
            connection.request(method, path, headers=headers or {})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0


def holder(port: int) -> int:
    """Return the pid of the process that listens on PORT, or 0 if it cannot be seen."""
    tables = [table.read_text() for table in TABLES if table.exists()]
    sockets = {f"socket:[{inode}]" for table in tables for inode in listeners(table, port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(descriptor) in sockets for descriptor in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    return 0


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "a process"


def listeners(table: str, port: int) -> list[str]:
    """Return the inodes of the sockets in TABLE, the text of /proc/net/tcp, that listen on PORT."""
    rows = (line.split() for line in table.splitlines()[1:])
    return [row[9] for row in rows if row[3] == LISTENING and int(row[1].rpartition(":")[2], 16) == port]
