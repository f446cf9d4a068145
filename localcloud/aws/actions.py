"""Which IAM action a call is, and of which resource: names and ARNs as AWS's Service Authorization Reference has them.

An action is mostly the operation's own name behind the service's prefix; what is called otherwise is listed here. The
resource is told for S3, EKS, ECR, IAM, STS, Secrets Manager, SSM, DynamoDB and CloudWatch Logs, and wherever the call
itself has an ARN; for everything else it is `*`, which only a statement for all resources allows (see policies.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from localcloud.aws.call import Call
from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.policies import ANY, Request

PREFIXES = {"monitoring": "cloudwatch"}  # where it is not the name that calls are signed for
# And botocore's name, likewise.
MODELS = {"monitoring": "cloudwatch", "elasticloadbalancing": "elbv2", "servicequotas": "service-quotas"}
# Operations, behind the action that they need.
S3 = """
ListBucket: HeadBucket ListObjects ListObjectsV2
ListBucketVersions: ListObjectVersions
ListAllMyBuckets: ListBuckets
GetObject: HeadObject
DeleteObject: DeleteObjects
PutObject: CopyObject CreateMultipartUpload UploadPart CompleteMultipartUpload
GetEncryptionConfiguration: GetBucketEncryption
PutEncryptionConfiguration: PutBucketEncryption DeleteBucketEncryption
GetLifecycleConfiguration: GetBucketLifecycle GetBucketLifecycleConfiguration
PutLifecycleConfiguration: PutBucketLifecycle PutBucketLifecycleConfiguration DeleteBucketLifecycle
GetBucketPublicAccessBlock: GetPublicAccessBlock
PutBucketPublicAccessBlock: PutPublicAccessBlock DeletePublicAccessBlock
PutBucketOwnershipControls: DeleteBucketOwnershipControls
GetAccelerateConfiguration: GetBucketAccelerateConfiguration
PutAccelerateConfiguration: PutBucketAccelerateConfiguration
GetReplicationConfiguration: GetBucketReplication
PutReplicationConfiguration: PutBucketReplication DeleteBucketReplication
GetBucketCORS: GetBucketCors
PutBucketCORS: PutBucketCors DeleteBucketCors
GetBucketObjectLockConfiguration: GetObjectLockConfiguration
PutBucketObjectLockConfiguration: PutObjectLockConfiguration
PutBucketTagging: DeleteBucketTagging
GetBucketNotification: GetBucketNotificationConfiguration
PutBucketNotification: PutBucketNotificationConfiguration
"""
BUDGETS = """
ViewBudget: DescribeBudget DescribeBudgets DescribeNotificationsForBudget DescribeSubscribersForNotification
ModifyBudget: CreateBudget UpdateBudget DeleteBudget CreateNotification UpdateNotification DeleteNotification
ModifyBudget: CreateSubscriber UpdateSubscriber DeleteSubscriber
"""
NAMES = {
    prefix: {
        operation: action
        for action, _, operations in (line.partition(": ") for line in table.strip().splitlines())
        for operation in operations.split()
    }
    for prefix, table in {"s3": S3, "budgets": BUDGETS}.items()
}
PASSES = ("roleArn", "RoleArn", "nodeRole", "DeliverLogsPermissionArn")  # parameters that hand a role to a service
BLANK = re.compile(r"\{(\w+)\+?\}")


def of(call: Call) -> list[Request]:
    """Return what the caller of CALL has to be allowed, without context: more than one thing where it passes a role."""
    prefix, name, given = PREFIXES.get(call.service, call.service), *_operation(call)
    action = f"{prefix}:{NAMES.get(prefix, {}).get(name, name)}"
    asked = [Request(action, resource) for resource in _resources(prefix, name, given, call)]
    if prefix in ("eks", "ec2") and name.startswith(("Create", "Update", "Associate")):
        asked += [Request("iam:PassRole", str(given[key])) for key in PASSES if given.get(key)]
    return asked


def protocol(call: Call) -> str:
    """Return the protocol that the service of CALL speaks."""
    return str(get_service_model(MODELS.get(call.service, call.service)).protocol)


def _operation(call: Call) -> tuple[str, Mapping[str, Any]]:
    """Return the operation's name in AWS's spelling, and its parameters as far as they are told."""
    if match := re.fullmatch(r"/service/\w+/operation/(\w+)", call.path):  # Smithy RPC: the body is binary
        return match[1], {}
    if protocol(call).startswith("rest"):
        return _of_rest(call)
    if call.headers.get("x-amz-target"):
        return call.action, _body(call)
    return call.action, dict(parse_qsl(call.body.decode("utf-8", "replace") or call.query))


def _body(call: Call) -> dict[str, Any]:
    try:
        body = json.loads(call.body or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _of_rest(call: Call) -> tuple[str, Mapping[str, Any]]:
    """Find the operation by method and path, the one whose fixed query parameters are most."""
    query, path = dict(parse_qsl(call.query, keep_blank_values=True)), call.path.rstrip("/") or "/"
    for name, method, pattern, fixed in _rest(call.service):
        match = pattern.fullmatch(path) if method == call.method else None
        if match and all(key in query and value in ("", query[key]) for key, value in fixed.items()):
            labels = {key: unquote(value) for key, value in match.groupdict().items()}
            return name, {**query, **(_body(call) if call.service == "eks" else {}), **labels}
    return f"{call.method}-{call.path}", {}  # no policy names this but by a wildcard


@cache
def _rest(service: str) -> list[tuple[str, str, re.Pattern[str], dict[str, str]]]:
    """Return name, method, pattern of the path and needed query of each operation, the most particular first."""
    model, rows = get_service_model(service), []
    for name in model.operation_names:
        http, shape = model.operation_model(name).http, model.operation_model(name).input_shape
        path, _, query = http["requestUri"].partition("?")
        expression = BLANK.sub(lambda blank: f"(?P<{blank[1]}>{'.+' if '+' in blank[0] else '[^/]+'})", path)
        fixed = dict(parse_qsl(query, keep_blank_values=True))
        members = [shape.members[member].serialization for member in shape.required_members] if shape else []
        fixed |= {str(member["name"]): "" for member in members if member.get("location") == "querystring"}
        rows.append((name, http["method"], re.compile(expression.rstrip("/") or "/"), fixed))
    return sorted(rows, key=lambda row: (-len(row[3]), len(row[2].groupindex)))


def _resources(prefix: str, name: str, given: Mapping[str, Any], call: Call) -> list[str]:
    return list(dict.fromkeys(_arns(prefix, name, given, call))) or [ANY]


def _arns(prefix: str, name: str, given: Mapping[str, Any], call: Call) -> Iterator[str]:
    here = f"arn:{PARTITION}:{prefix}:{call.region}:{ACCOUNT}"
    match prefix:
        case "s3" if "Bucket" in given:
            yield f"arn:{PARTITION}:s3:::{given['Bucket']}" + (f"/{given['Key']}" if "Key" in given else "")
            yield from (f"arn:{PARTITION}:s3:::{given['Bucket']}/{key}" for key in _deleted(name, call))
        case "eks" if "clusterName" in given or "name" in given:
            yield f"{here}:cluster/{given.get('clusterName') or given['name']}"
        case "ecr" if "repositoryName" in given:
            yield f"{here}:repository/{given['repositoryName']}"
        case "secretsmanager" if "SecretId" in given:
            yield _secret(str(given["SecretId"]), call.region)
        case "ssm" if "Name" in given or "Names" in given:
            names = given.get("Names") or [given["Name"]]
            public = f"arn:{PARTITION}:ssm:{call.region}:"  # what AWS publishes belongs to no account
            homes = ((public if str(each).startswith("/aws/service/") else here, each) for each in names)
            yield from (f"{home}:parameter/{str(each).lstrip('/')}" for home, each in homes)
        case "dynamodb" if "TableName" in given:
            yield f"{here}:table/{given['TableName']}"
        case "logs" if "logGroupName" in given:
            yield f"{here}:log-group:{given['logGroupName']}:*"
        case "iam":
            yield from _identity(name, given)
        case "sts" if "RoleArn" in given:
            yield str(given["RoleArn"])
        case "ec2":
            return  # the ARNs in its calls are those of other services
        case _:
            arns = (value for value in given.values() if isinstance(value, str))
            yield from (value for value in arns if re.fullmatch(r"arn:[\w-]+:[\w-]+:[\w-]*:\d*:\S+", value))


def _deleted(name: str, call: Call) -> list[str]:
    return re.findall(r"<Key>([^<]+)</Key>", call.body.decode("utf-8", "replace")) if name == "DeleteObjects" else []


def _secret(identifier: str, region: str) -> str:
    """Return the whole ARN, with its six random characters, of a secret that may be named without them."""
    for secret in secretsmanager_backends[ACCOUNT][region].secrets.values():
        if identifier in (secret.arn, secret.name, secret.arn[:-7]):
            return str(secret.arn)
    prefix = "" if identifier.startswith("arn:") else f"arn:{PARTITION}:secretsmanager:{region}:{ACCOUNT}:secret:"
    return prefix + identifier


def owner(given: Mapping[str, Any]) -> Any | None:
    """Return moto's role or user that the parameters of an IAM call name, if it exists."""
    backend = iam_backends[ACCOUNT][PARTITION]
    if "RoleName" in given:
        return next((role for role in backend.roles.values() if role.name == given["RoleName"]), None)
    return backend.users.get(str(given.get("UserName", "")))


def _identity(name: str, given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ARN of the user, role, policy or provider that an IAM call is about, with its path where it exists."""
    prefix, path, existing = f"arn:{PARTITION}:iam::{ACCOUNT}", str(given.get("Path") or "/"), owner(given)
    for parameter, kind in (("RoleName", "role"), ("UserName", "user")):
        if parameter in given:
            yield str(existing.arn) if existing else f"{prefix}:{kind}{path}{given[parameter]}"
            return
    if name == "CreatePolicy" and "PolicyName" in given:
        yield f"{prefix}:policy{path}{given['PolicyName']}"
    for parameter in ("PolicyArn", "OpenIDConnectProviderArn"):
        if parameter in given:
            yield str(given[parameter])
