"""The bucket of Terraform's state: what it is like, and who gets nothing of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from longshore import aws
from longshore.errors import Precondition
from longshore.infra.state_bucket import StateBucket
from tests.unit.infra.given import Terraform, infra, progress


@pytest.mark.usefixtures("account")
def test_the_state_bucket_is_private_versioned_and_encrypted_however_often_it_is_ensured(tmp_path: Path) -> None:
    bucket = infra(tmp_path).bucket
    assert bucket.head() == ("", 0)
    bucket.ensure()
    bucket.ensure()
    assert bucket.head() == ("", 0)
    s3, named = aws.client(bucket.environment, "s3"), {"Bucket": bucket.name}
    assert s3.get_bucket_versioning(**named)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(**named)["PublicAccessBlockConfiguration"].values()) == {True}
    rules = s3.get_bucket_encryption(**named)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "aws:SecureTransport" in s3.get_bucket_policy(**named)["Policy"]


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_the_state_buckets_policy_names_it_in_its_own_partition(tmp_path: Path, region: str, partition: str) -> None:
    here = infra(tmp_path).bucket
    bucket = StateBucket(replace(here.environment, region=region), here.project)
    policy = bucket.policy(aws.client(bucket.environment, "s3"))
    assert policy["Statement"][0]["Resource"] == [f"arn:{partition}:s3:::{here.name}{end}" for end in ("", "/*")]


@pytest.mark.usefixtures("account")
def test_nothing_is_applied_to_the_account_of_others(tmp_path: Path) -> None:
    here = infra(tmp_path)
    other = replace(here, environment=msgspec.structs.replace(here.environment, account="999999999999"))
    for change in (lambda: other.bring_up(progress), lambda: other.apply(progress)):
        with pytest.raises(Precondition, match="credentials belong to account 123456789012"):
            change()
    assert isinstance(here.runner, Terraform)
    assert here.runner.names == []


def test_who_may_not_read_the_state_is_told_who_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    here = infra(tmp_path)
    s3 = aws.client(here.environment, "s3")
    monkeypatch.setattr(s3, "get_object", denied)
    monkeypatch.setattr(aws, "client", lambda *_: s3)
    with pytest.raises(Precondition, match="these credentials may not read Terraform's outputs") as refused:
        here.outputs()
    assert "s3://shop-terraform-state-123456789012/local/terraform.tfstate" in refused.value.sentence
    assert "the role `deploy` in ci_role_arns" in refused.value.hint
