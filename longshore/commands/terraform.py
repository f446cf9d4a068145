"""Terraform's command lines. Each names the folder with the *.tf files; credentials are in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from longshore.process.command import Command, Secret, change, query

Env = Mapping[str, str | Secret]
GRACE = 45.0  # seconds for Terraform to finish the calls in flight and release its lock
# TF_CLI_CONFIG_FILE is a fact of a saved plan; TF_TOKEN_HOST is a registry's credential.
TAKES = (
    *("TF_CLI_CONFIG_FILE", "TF_TOKEN_*", "TF_PLUGIN_CACHE_DIR", "SSH_AUTH_SOCK"),
    *("TF_REGISTRY_DISCOVERY_RETRY", "TF_REGISTRY_CLIENT_TIMEOUT"),
)
_query, _change = (partial(describe, takes=TAKES) for describe in (query, change))


def _words(folder: Path, *words: str) -> tuple[str, ...]:
    return ("terraform", f"-chdir={folder}", *words)


def init(folder: Path, env: Env, backend: Mapping[str, str] | None = None) -> Command:
    """Fetch the providers in the lock file and connect to the state in S3; without BACKEND, to none."""
    settings = [f"-backend-config={key}={value}" for key, value in (backend or {}).items()]
    state = ("-backend=false",) if backend is None else ("-reconfigure", *settings)
    return _query(
        *_words(folder, "init", "-input=false", "-no-color", "-lockfile=readonly", *state), env=env, deadline=300
    )


def format_check(folder: Path) -> Command:
    """List the files that are not in canonical format; exit code 3 if there are any."""
    return _query(*_words(folder, "fmt", "-check", "-recursive", "-no-color"), deadline=30)


def validate(folder: Path, env: Env) -> Command:
    """Check the configuration against the providers' schemas; prints JSON."""
    return _query(*_words(folder, "validate", "-json", "-no-color"), env=env, deadline=120)


def plan(
    folder: Path,
    env: Env,
    variables_files: tuple[Path, ...],
    out: Path,
    *,
    destroy: bool = False,
    lock: bool = True,
    targets: tuple[str, ...] = (),
) -> Command:
    """Save a plan to OUT; exit code 2 means that it has changes. The last of VARIABLES_FILES wins.

    Without LOCK the state is not locked, for whoever may only read it. With TARGETS it is for those addresses alone.
    """
    options = ("-input=false", "-no-color", "-detailed-exitcode", "-lock-timeout=30s" if lock else "-lock=false")
    files = (f"-var-file={path}" for path in variables_files)
    more = (*(("-destroy",) if destroy else ()), *(f"-target={target}" for target in targets))
    words = _words(folder, "plan", *options, *files, f"-out={out}", *more)
    return _query(*words, env=env, deadline=900, grace=GRACE, survives=True)


def mocked(
    folder: Path, env: Env, variables_files: tuple[Path, ...], variables: Mapping[str, str], *, tests: str = "cost"
) -> Command:
    """Plan with a made-up AWS, as the test in the folder TESTS does, and print the plan as JSON; needs no account."""
    files = (f"-var-file={path}" for path in variables_files)
    values = (f"-var={name}={value}" for name, value in variables.items())
    options = ("-json", "-verbose", "-no-color", f"-test-directory={tests}")
    return _query(*_words(folder, "test", *options, *files, *values), env=env, deadline=300, private=True)


def show(folder: Path, env: Env, plan_file: Path) -> Command:
    """Print a saved plan as JSON, sensitive values included."""
    return _query(*_words(folder, "show", "-json", "-no-color", str(plan_file)), env=env, deadline=120, private=True)


def apply(folder: Path, env: Env, plan_file: Path) -> Command:
    """Apply a saved plan and nothing else; prints one JSON event a line."""
    words = _words(folder, "apply", "-input=false", "-json", "-lock-timeout=30s", "-parallelism=30", str(plan_file))
    return _change(*words, env=env, deadline=5400, grace=GRACE, survives=True)


def state_list(folder: Path, env: Env) -> Command:
    """Print the addresses of all resources in the state, one a line."""
    return _query(*_words(folder, "state", "list"), env=env, deadline=60)


def force_unlock(folder: Path, env: Env, lock: str) -> Command:
    """Remove the state's lock; Terraform refuses any id other than LOCK's own."""
    return _change(*_words(folder, "force-unlock", "-force", lock), env=env, deadline=60)
