"""IAM: AWS's managed policies, access keys, and the operator, the first user of the account."""

from __future__ import annotations

import configparser
import contextlib
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam import models as iam_models
from moto.iam.models import iam_backends
from moto.iam.responses import IamResponse

from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import add, wrap
from longshore.files import write_atomically

OPERATOR = "operator"


@wrap(iam_models, "load_iam_aws_managed_policies", "get_policy")
def load_managed_policies(_original: Any) -> bool:
    """Load AWS's managed policies: every account has them."""
    return True


@wrap(iam_models.IAMBackend, "_init_aws_policies", "list_policies")
def aws_policies(original: Any, self: Any) -> Any:
    """Skip the managed policies of other partitions (China, GovCloud, …), 4 MB each."""
    return original(self) if self.region_name == PARTITION else []


@add(IamResponse, "list_service_specific_credentials")
def list_service_specific_credentials(self: Any) -> Any:
    """Return none: Terraform asks before it deletes a user, and nothing here can create any."""
    if self.params.get("UserName"):
        self.backend.get_user(self.params["UserName"])  # refuses an unknown name
    return ActionResult({"ServiceSpecificCredentials": []})


@wrap(IamResponse, "create_user", "create_user", "get_user")
def create_user(original: Any, self: Any) -> Any:
    """Keep the user's permissions boundary, which moto drops."""
    answer = original(self)
    if boundary := self.params.get("PermissionsBoundary"):
        _bound(self, str(boundary))
    return answer


@add(IamResponse, "put_user_permissions_boundary")
def put_user_permissions_boundary(self: Any) -> Any:
    """Set the user's permissions boundary."""
    _bound(self, str(self.params["PermissionsBoundary"]))
    return EmptyResult()


@add(IamResponse, "delete_user_permissions_boundary")
def delete_user_permissions_boundary(self: Any) -> Any:
    """Take the user's permissions boundary away."""
    user = self.backend.get_user(self.params["UserName"])
    user.permissions_boundary_arn = user.permissions_boundary = None
    return EmptyResult()


def _bound(self: Any, policy: str) -> None:
    user = self.backend.get_user(self.params["UserName"])
    self.backend.get_policy(policy)  # refuses an unknown one
    user.permissions_boundary_arn = policy
    user.permissions_boundary = {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": policy,
    }


def active_key(identifier: str) -> Any | None:
    """Return the user's access key IDENTIFIER if it exists and is active."""
    for user in iam_backends[ACCOUNT][PARTITION].users.values():
        for key in user.access_keys:
            if key.access_key_id == identifier and key.status == "Active":
                return key
    return None


def ensure_operator(credentials: Path) -> None:
    """Create the operator, who administers the account, and write its key to CREDENTIALS in AWS's format (mode 0600).

    If CREDENTIALS already holds a key, that one is used: it survives the loss of a snapshot.
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
        text = f"aws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n"
        write_atomically(credentials, f"[default]\n{text}", 0o600)


def _read(path: Path) -> tuple[str, str] | None:
    parser = configparser.ConfigParser(interpolation=None)
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        parser.read(path)
    section = parser["default"] if parser.has_section("default") else {}
    pair = section.get("aws_access_key_id", ""), section.get("aws_secret_access_key", "")
    return pair if all(pair) else None
