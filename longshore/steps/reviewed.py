"""The plan that was read is the plan that is applied: what it was made from, bound to the file, and whether all of that still holds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longshore.commands import git
from longshore.errors import BadInput, Precondition
from longshore.steps import aws, fingerprint

if TYPE_CHECKING:
    from longshore.steps.infra import Infra

HOLDS = 24 * 3600  # seconds for which a plan may be applied
KEY = "LONGSHORE_PLAN_KEY"  # environment variable: a plan that leaves the machine is encrypted with it
SEALED = b"gAAAA"  # how a Fernet token begins
# What each fact is called where it has changed, in the order in which a person would want to know.
MOVED = {
    "environment": "it was made for {old}, this is {new}",
    "account": "it was made for the account {old}, this is {new}",
    "commit": "it was made at the commit {old:.12}, this is {new:.12}",
    "sources": "the files in terraform/ have changed",
    "variables": "the variables have changed",
    "providers": "the lock file names other providers",
    "lineage": "the state is another one",
    "serial": "the state has changed since (serial {old}, now {new})",
    "plan": "the plan file is not the one that was saved",
}


def facts(infra: Infra) -> dict[str, Any]:
    """Return what the saved plan stands on, by name; each is something that MOVED can speak of."""
    root, environment = infra.settings.root, infra.environment
    head = infra.runner.run(git.head(), check=False)
    state = _state(infra)
    variables = (environment.variables_file,)
    return {
        "environment": environment.name,
        "account": environment.account,
        "commit": head.stdout.strip() if head.exit_code == 0 else "",
        "sources": fingerprint.of(root, ("terraform/*.tf",)),
        "variables": fingerprint.of(root, variables, environment.variables),
        "providers": fingerprint.of(root, ("terraform/.terraform.lock.hcl",)),
        "lineage": state.get("lineage", ""),
        "serial": state.get("serial", 0),
        "plan": _digest(infra.plan_file),
    }


def bind(infra: Infra) -> None:
    """Keep what the plan that was just saved stands on."""
    infra.memory.put("plan", **facts(infra), until=time.time() + HOLDS)


def check(infra: Infra) -> None:
    """Raise Precondition, naming all that has moved, unless the saved plan still stands on what it was made from."""
    known = infra.memory.get("plan")
    again = f"`invoke infra.plan -e {infra.environment.name}` makes one to read; nothing was changed"
    if not known or not infra.plan_file.exists():
        raise Precondition("there is no saved plan", hint=again)
    now = facts(infra)
    moved = [
        text.format(old=str(known.get(name, "unknown")), new=str(now[name]))
        for name, text in MOVED.items()
        if known.get(name) != now[name]
    ]
    if time.time() > float(known.get("until", 0)):
        moved.append("it is more than a day old")
    if moved:
        raise Precondition(f"the saved plan is stale: {'; '.join(moved)}", hint=again)


def seal(infra: Infra) -> bool:
    """Encrypt the saved plan where the environment gives a key for it; return whether it did."""
    key = infra.settings.environ.get(KEY)
    if key:
        infra.plan_file.write_bytes(_cipher(key).encrypt(infra.plan_file.read_bytes()))
    return bool(key)


@contextlib.contextmanager
def opened(infra: Infra) -> Iterator[Path]:
    """Yield the saved plan in clear, for as long as it is needed. Raises Precondition where the key is missing or another one."""
    data = infra.plan_file.read_bytes()
    if not data.startswith(SEALED):
        yield infra.plan_file
        return
    from cryptography.fernet import InvalidToken

    try:
        clear = _cipher(infra.settings.environ.get(KEY, "")).decrypt(data)
    except InvalidToken:
        raise Precondition(
            "the saved plan cannot be decrypted: it was changed, or encrypted with another key",
            hint=f"{KEY} has to be the same where it is planned and where it is applied",
        ) from None
    with tempfile.NamedTemporaryFile(
        dir=infra.folder, suffix=".tfplan"
    ) as file:  # 0600, as mkstemp makes them
        file.write(clear)
        file.flush()
        yield Path(file.name)


def _cipher(key: str) -> Any:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except ValueError:
        raise BadInput(
            f"{KEY} is not 32 bytes in url-safe base64",
            hint="`python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'` makes one",
        ) from None


def _state(infra: Infra) -> dict[str, Any]:
    """Return the head of the state as it is in its bucket; nothing where there is none."""
    from botocore.exceptions import ClientError

    with aws.errors("Terraform's state"):
        try:
            found = aws.client(infra.environment, "s3").get_object(Bucket=infra.bucket, Key=infra.state_key)
        except ClientError as problem:
            if problem.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
                return {}
            raise
    state: dict[str, Any] = json.load(found["Body"])
    return state


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""
