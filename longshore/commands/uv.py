"""What is asked of uv, which makes the virtualenvs that the application's own tests run in.

UV is the program. What a user has set for uv reaches it, and nothing that would have it work elsewhere; ENV are
variables of ours besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from longshore.process.command import Command, Secret, query

TAKES = (
    *(
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "UV_INDEX",
        "UV_INDEX_*",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "UV_NO_INDEX",
    ),
    *("UV_INSECURE_HOST", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS", "UV_KEYRING_PROVIDER", "UV_CONFIG_FILE", "NETRC"),
    *("UV_HTTP_*", "UV_OFFLINE", "UV_CACHE_DIR", "UV_NO_CACHE", "UV_LINK_MODE", "UV_PYTHON_DOWNLOADS"),
    *("UV_PYTHON_INSTALL_DIR", "UV_PYTHON_INSTALL_MIRROR"),
)
QUICK = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "2"}  # an index that is not there is noticed in a minute
Env = Mapping[str, str | Secret]


def virtualenv(uv: str, folder: Path, python: str, *, env: Env) -> Command:
    """Make a virtualenv of PYTHON (a version, or a program) in FOLDER."""
    argv = (uv, "venv", "--no-project", "--clear", f"--python={python}", str(folder))
    return query(*argv, env=env, takes=TAKES, deadline=180)


def export(uv: str, packages: Sequence[str], command: Sequence[str], *, cwd: Path, env: Env) -> Command:
    """Have COMMAND, of the tool that PACKAGES install, print what the lock in CWD pins. uv itself is at hand."""
    _, *more = packages
    tool = (uv, "tool", "run", f"--from={packages[0]}", *(f"--with={name}" for name in more), *command)
    argv = (uv, *command[1:]) if command[0] == "uv" else tool
    quiet = {"PDM_CHECK_UPDATE": "0"}
    return query(*argv, cwd=cwd, env={**env, **quiet}, takes=TAKES, deadline=300)


def install(uv: str, python: Path, *words: str, cwd: Path, env: Env) -> Command:
    """Install for PYTHON what WORDS say as arguments of pip's, relative to CWD."""
    argv = (uv, "pip", "install", f"--python={python}", *words)
    return query(*argv, cwd=cwd, env=env, takes=TAKES, deadline=900)


def installed(uv: str, python: Path) -> Command:
    """List what is installed for PYTHON, a `name==version` a line."""
    return query(uv, "pip", "freeze", f"--python={python}")
