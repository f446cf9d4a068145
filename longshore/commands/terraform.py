"""What is asked of Terraform. Every call names the folder; credentials travel in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from longshore.command import Command, Secret, change, query

Env = Mapping[str, str | Secret]
GRACE = 45.0  # seconds: Terraform finishes the calls in flight and leaves its lock when it is asked to end


def _base(root: Path) -> tuple[str, ...]:
    return ("terraform", f"-chdir={root}")


def init(root: Path, env: Env, backend: Mapping[str, str]) -> Command:
    """Fetch the providers that the lock file names and connect to the state in S3."""
    settings = tuple(f"-backend-config={key}={value}" for key, value in backend.items())
    return query(
        *_base(root),
        "init",
        "-input=false",
        "-no-color",
        "-reconfigure",
        "-lockfile=readonly",
        *settings,
        env=env,
        deadline=300,
    )


def init_without_backend(root: Path, env: Env) -> Command:
    """Fetch the providers alone, for what needs no state."""
    return query(
        *_base(root),
        "init",
        "-input=false",
        "-no-color",
        "-backend=false",
        "-lockfile=readonly",
        env=env,
        deadline=300,
    )


def format_check(root: Path) -> Command:
    """List the files that are not in the canonical form; exit code 3 when there are any."""
    return query(*_base(root), "fmt", "-check", "-recursive", "-no-color", deadline=30)


def validate(root: Path, env: Env) -> Command:
    """Check the configuration against the providers' schemas; prints JSON."""
    return query(*_base(root), "validate", "-json", "-no-color", env=env, deadline=120)


def plan(
    root: Path, env: Env, variables_files: tuple[Path, ...], out: Path, *, destroy: bool = False
) -> Command:
    """Save a plan to OUT; exit code 2 means that it holds changes, which is no failure. The last of VARIABLES_FILES wins."""
    options = ("-destroy",) if destroy else ()
    files = tuple(f"-var-file={path}" for path in variables_files)
    return query(
        *_base(root), "plan", "-input=false", "-no-color", "-detailed-exitcode", "-lock-timeout=30s", *files,
        f"-out={out}", *options, env=env, deadline=900, grace=GRACE, survives=True,
    )  # fmt: skip


def show(root: Path, env: Env, plan_file: Path) -> Command:
    """The saved plan as JSON."""
    return query(
        *_base(root), "show", "-json", "-no-color", str(plan_file), env=env, deadline=120, private=True
    )


def apply(root: Path, env: Env, plan_file: Path) -> Command:
    """Apply the saved plan and nothing else; prints one JSON event a line."""
    return change(
        *_base(root), "apply", "-input=false", "-json", "-lock-timeout=30s", "-parallelism=30", str(plan_file),
        env=env, deadline=5400, grace=GRACE, survives=True,
    )  # fmt: skip


def output(root: Path, env: Env) -> Command:
    """The outputs of the last apply as JSON."""
    return query(*_base(root), "output", "-json", "-no-color", env=env, deadline=60)


def state_list(root: Path, env: Env) -> Command:
    """The addresses of all that the state holds, one a line."""
    return query(*_base(root), "state", "list", env=env, deadline=60)


def force_unlock(root: Path, env: Env, lock: str) -> Command:
    """Take the state's lock away; Terraform refuses any other than the exact id that it has."""
    return change(*_base(root), "force-unlock", "-force", lock, env=env, deadline=60)
