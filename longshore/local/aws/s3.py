"""S3: a bucket's policy is judged without the statements that refuse plain HTTP.

Moto ignores conditions, so that a `Deny` of requests without TLS would deny all. Loopback stands for TLS here.
"""

from __future__ import annotations

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from longshore.local.aws.mending import wrap


@wrap(
    FakeBucket, "get_permission", "get_object", "put_object", "head_object", "delete_object", "delete_objects"
)
def get_permission(original: Any, self: Any, action: str, resource: str) -> Any:
    """Leave out what holds for requests without TLS alone."""
    if self.policy is None:
        return original(self, action, resource)
    policy = json.loads(self.policy)
    policy["Statement"] = [one for one in policy["Statement"] if not _refuses_plain_http(one)]
    return (
        IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)
        if policy["Statement"]
        else PermissionResult.NEUTRAL
    )


def _refuses_plain_http(statement: dict[str, Any]) -> bool:
    return statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
