"""IAM: AWS's own policies, whose key has which secret, and the first user of the account."""

from __future__ import annotations

import configparser
import contextlib
import os
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult
from moto.iam import models as iam_models
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from longshore.local.aws.mending import add, wrap
from longshore.local.aws.options import ACCOUNT, PARTITION

OPERATOR = "operator"


@wrap(iam_models, "load_iam_aws_managed_policies", "get_policy")
def load_managed_policies(_original: Any) -> bool:
    """AWS's managed policies exist in every account."""
    return True


@wrap(iam_models.IAMBackend, "_init_aws_policies", "list_policies")
def aws_policies(original: Any, self: Any) -> Any:
    """Leave them out of the partitions that nobody asks for (China, GovCloud, …), 4 MB each."""
    return original(self) if self.region_name == PARTITION else []


@add(IamResponse, "list_service_specific_credentials")
def list_service_specific_credentials(self: Any) -> Any:
    """Terraform asks before it deletes a user; nothing here can make any."""
    if self.params.get("UserName"):
        self.backend.get_user(self.params["UserName"])  # refuses the name of nobody
    return ActionResult({"ServiceSpecificCredentials": []})


def active_key(identifier: str) -> Any | None:
    """Return the user's access key IDENTIFIER if it exists and is active."""
    for user in iam_backends[ACCOUNT][PARTITION].users.values():
        for key in user.access_keys:
            if key.access_key_id == identifier and key.status == "Active":
                return key
    return None


def ensure_operator(credentials: Path) -> None:
    """Make the user that administers the account, and write its key where AWS tools can read it (0600).

    A key that CREDENTIALS already names is kept, so that whoever uses it does not notice a lost snapshot.
    """
    backend = iam_backends[ACCOUNT][PARTITION]
    if OPERATOR not in backend.users:
        backend.create_user("us-east-1", OPERATOR)
    user = backend.users[OPERATOR]
    written = _read(credentials)
    if written and not active_key(written[0]):
        key = backend.create_access_key(OPERATOR)
        del backend.access_keys[key.access_key_id]
        key.access_key_id, key.secret_access_key = written
        backend.access_keys[key.access_key_id] = key
    elif not written:
        key = user.access_keys[0] if user.access_keys else backend.create_access_key(OPERATOR)
        _write(credentials, key.access_key_id, key.secret_access_key)


def _read(path: Path) -> tuple[str, str] | None:
    parser = configparser.ConfigParser(interpolation=None)
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        parser.read(path)
    section = parser["default"] if parser.has_section("default") else {}
    pair = section.get("aws_access_key_id", ""), section.get("aws_secret_access_key", "")
    return pair if all(pair) else None


def _write(path: Path, key: str, secret: str) -> None:
    text = f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
