"""The S3 bucket that holds Terraform's state: versioned, encrypted, private, over TLS only. Safe to ensure again and again."""

from __future__ import annotations

import json
from typing import Any

from longshore.errors import Precondition
from longshore.settings import Environment
from longshore.steps import aws


def ensure(environment: Environment, bucket: str) -> None:
    """Make BUCKET in the environment's account and give it its properties. Raises Precondition for the wrong account."""
    aws.guard_account(environment)
    with aws.errors("the bucket of Terraform's state"):
        s3 = aws.client(environment, "s3")
        if not _exists(s3, bucket):
            where = (
                {}
                if environment.region == "us-east-1"
                else {"CreateBucketConfiguration": {"LocationConstraint": environment.region}}
            )
            s3.create_bucket(Bucket=bucket, **where)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        closed = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=closed)
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(_over_tls_only(bucket)))


def _exists(s3: Any, bucket: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as problem:
        if problem.response["Error"]["Code"] in ("403", "AccessDenied"):
            raise Precondition(
                f"the bucket {bucket} belongs to somebody else",
                hint="bucket names are global: choose another project name",
            ) from None
        return False
    return True


def _over_tls_only(bucket: str) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Sid": "OverTlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
