"""S3: whose a bucket is, and bucket policies, evaluated without the statements that deny plain HTTP.

Moto ignores conditions, so a `Deny` of requests without TLS would deny everything. Here loopback stands in for TLS.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket, s3_backends

from localcloud.aws.call import Call
from localcloud.aws.patching import Refused, wrap

OWNER = "x-amz-expected-bucket-owner"


def check_owner(call: Call) -> None:
    """Refuse CALL if it expects another owner of its bucket than the bucket has; moto does not read that header."""
    bucket = unquote(call.path).strip("/").partition("/")[0]
    if call.service != "s3" or OWNER not in call.headers or bucket not in s3_backends.bucket_accounts:
        return
    if s3_backends.bucket_accounts[bucket][1] != call.headers[OWNER]:
        raise Refused(403, "AccessDenied", "Access Denied")


@wrap(FakeBucket, "get_permission", "get_object", "put_object", "head_object", "delete_object", "delete_objects")
def get_permission(original: Any, self: Any, action: str, resource: str) -> Any:
    """Ignore the statements that apply only to requests without TLS."""
    if self.policy is None:
        return original(self, action, resource)
    policy = json.loads(self.policy)
    policy["Statement"] = [statement for statement in policy["Statement"] if not _denies_plain_http(statement)]
    if not policy["Statement"]:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def _denies_plain_http(statement: dict[str, Any]) -> bool:
    return statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
