"""The S3 bucket that holds Terraform's state: versioned, encrypted, private, TLS only, and the account's own.

Bucket names are global: whoever is first owns one. So every call names the owner, whom S3 compares. Terraform's backend
cannot (its calls have no such option), hence `require` before it starts.
"""

from __future__ import annotations

import json
from typing import Any, Self

from msgspec import Struct

from longshore import aws
from longshore.errors import Precondition
from longshore.settings.model import Environment

WHAT = "the bucket for Terraform's state"
PROTECTION = ("enable_deletion_protection", "deletion_protection", "deletion_protection_enabled")


class State(Struct, frozen=True):
    """What the state says: whose it is, its outputs that are not sensitive, what AWS refuses to delete."""

    lineage: str
    serial: int
    outputs: dict[str, Any]
    protected: tuple[str, ...]

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        outputs = document.get("outputs", {}).items()
        protected = [
            f"{resource['type']}.{resource['name']}"
            for resource in document.get("resources", ())
            for instance in resource.get("instances", ())
            if any(instance.get("attributes", {}).get(name) is True for name in PROTECTION)
        ]
        return cls(
            lineage=document.get("lineage", ""),
            serial=document.get("serial", 0),
            outputs={name: output["value"] for name, output in outputs if not output.get("sensitive")},
            protected=tuple(dict.fromkeys(protected)),
        )


class StateBucket(Struct, frozen=True):
    """The bucket of an environment's account, for the project called PROJECT."""

    environment: Environment
    project: str

    @property
    def name(self) -> str:
        return f"{self.project}-terraform-state-{self.environment.account}"  # unique in all of AWS

    @property
    def key(self) -> str:
        return f"{self.environment.name}/terraform.tfstate"

    @property
    def _whose(self) -> dict[str, str]:
        return {"Bucket": self.name, "ExpectedBucketOwner": self.environment.account}

    def ensure(self) -> None:
        """Create the bucket if necessary and set its properties. Raises Precondition for the wrong account."""
        aws.guard_account(self.environment)
        with aws.errors(WHAT):
            s3, name, region = aws.client(self.environment, "s3"), self.name, self.environment.region
            if not self._exists(s3):
                location = {"CreateBucketConfiguration": {"LocationConstraint": region}}
                s3.create_bucket(Bucket=name, **({} if region == "us-east-1" else location))
            s3.put_bucket_versioning(**self._whose, VersioningConfiguration={"Status": "Enabled"})
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
            s3.put_bucket_encryption(**self._whose, ServerSideEncryptionConfiguration={"Rules": [rule]})
            blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
            s3.put_public_access_block(**self._whose, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
            s3.put_bucket_policy(**self._whose, Policy=json.dumps(self.policy(s3)))

    def policy(self, s3: Any) -> dict[str, Any]:
        """Return the bucket's policy, in the partition of the client S3: TLS only."""
        arn = f"arn:{s3.meta.partition}:s3:::{self.name}"
        statement = {
            "Sid": "OverTlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
        return {"Version": "2012-10-17", "Statement": [statement]}

    def require(self) -> None:
        """Raise Precondition where there is no such bucket, or it belongs to another account."""
        with aws.errors(WHAT):
            exists = self._exists(aws.client(self.environment, "s3"))
        if not exists:
            hint = f"`invoke infra.bootstrap -e {self.environment.name}` creates the bucket for the state"
            raise Precondition(f"there is no bucket {self.name} for Terraform's state", hint=hint)

    def read(self) -> State:
        """Return the state as it is now, without a lock; an empty one where there is none yet."""
        return State.of(self._object(self.key) or {})

    def head(self) -> tuple[str, int]:
        """Return lineage and serial of the state, `("", 0)` where there is none yet."""
        state = self.read()
        return state.lineage, state.serial

    def note(self, fingerprint: str, commit: str) -> None:
        """Note beside the state what was just applied: hash of sources and variables, and the commit."""
        text = json.dumps({"fingerprint": fingerprint, "commit": commit})
        with aws.errors(WHAT):
            aws.client(self.environment, "s3").put_object(**self._whose, Key=self._noted, Body=text.encode())

    def noted(self) -> tuple[str, str]:
        """Return the fingerprint and the commit that were applied last, two empty texts where nobody noted them."""
        note = self._object(self._noted) or {}
        return str(note.get("fingerprint", "")), str(note.get("commit", ""))

    @property
    def _noted(self) -> str:
        return f"{self.environment.name}/applied.json"

    def _object(self, key: str) -> dict[str, Any] | None:
        with aws.errors("Terraform's state"):
            s3 = aws.client(self.environment, "s3")
            try:
                found: dict[str, Any] = json.load(s3.get_object(**self._whose, Key=key)["Body"])
            except (s3.exceptions.NoSuchKey, s3.exceptions.NoSuchBucket):
                return None
            except s3.exceptions.ClientError as problem:
                if problem.response["Error"]["Code"] != "AccessDenied":
                    raise
                sentence = f"these credentials may not read Terraform's outputs, s3://{self.name}/{key} (AccessDenied)"
                hint = (
                    "the role `deploy` in ci_role_arns may; the service user `deployer` reaches the cluster alone, and "
                    f"nobody gets at a bucket that is not {self.environment.account}'s"
                )
                raise Precondition(sentence, hint=hint) from None
        return found

    def _exists(self, s3: Any) -> bool:
        """Ask for the state's own listing, which Terraform asks for, too: the answer to HEAD would name no reason."""
        try:
            s3.list_objects_v2(**self._whose, Prefix=self.key, MaxKeys=1)
        except s3.exceptions.NoSuchBucket:
            return False
        except s3.exceptions.ClientError as problem:
            if problem.response["Error"]["Code"] != "AccessDenied":
                raise
            hint = "bucket names are global, so it may be another account's: then choose another project name"
            sentence = f"the bucket {self.name} is not {self.environment.account}'s, or not for these credentials"
            raise Precondition(sentence, hint=hint) from None
        return True
