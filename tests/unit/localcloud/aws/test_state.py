from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.aws import eks, state
from tests.unit.localcloud.aws.local_aws import REGION, LocalAws


def fill(aws: LocalAws) -> None:
    """Create what is hard to pickle: objects, keys, certificates, clusters with entries, locks."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="state", Key="terraform.tfstate", Body=b'{"serial": 7}')
    aws.client("acm").request_certificate(DomainName="shop.localhost", ValidationMethod="DNS")
    aws.client("ecr").create_repository(repositoryName="shop/app")
    aws.client("kms").create_key()
    aws.make_cluster()
    ann = aws.client("iam").create_user(UserName="ann")["User"]["Arn"]
    aws.client("eks").create_access_entry(clusterName="shop-local", principalArn=ann)


def seen(aws: LocalAws) -> dict[str, Any]:
    eks = aws.client("eks")
    return {
        "object": aws.client("s3").get_object(Bucket="state", Key="terraform.tfstate")["Body"].read(),
        "certificates": aws.client("acm").list_certificates()["CertificateSummaryList"],
        "repositories": aws.client("ecr").describe_repositories()["repositories"],
        "keys": aws.client("kms").list_keys()["Keys"],
        "cluster": eks.describe_cluster(name="shop-local")["cluster"],
        "entries": eks.list_access_entries(clusterName="shop-local")["accessEntries"],
        "caller": aws.client("sts").get_caller_identity()["Arn"],
    }


def test_everything_is_there_after_a_restart(aws: LocalAws, restart: Callable[[], LocalAws]) -> None:
    fill(aws)
    before = seen(aws)
    assert aws.own("POST", "save").status_code == 200
    assert seen(restart()) == before


def test_a_snapshot_from_before_the_package_was_renamed_is_read(
    aws: LocalAws, restart: Callable[[], LocalAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(aws)
    before = seen(aws)
    with monkeypatch.context() as old:
        for module, pickled in ((eks, [eks.Extra]), (state, [state._temporary_file, state._private_key])):
            old.setitem(sys.modules, name := f"longshore.local.aws.{module.__name__.rpartition('.')[2]}", module)
            for member in pickled:
                old.setattr(member, "__module__", name)
        aws.application.saver.save()
    assert b"longshore.local.aws.eks" in (aws.folder / "snapshot").read_bytes()
    assert seen(restart()) == before


def test_the_snapshot_is_for_its_user_alone(aws: LocalAws) -> None:
    aws.application.saver.save()
    assert stat.S_IMODE((aws.folder / "snapshot").stat().st_mode) == 0o600


def test_a_kill_while_writing_leaves_the_last_snapshot(
    aws: LocalAws, restart: Callable[[], LocalAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(aws)
    before = seen(aws)
    aws.application.saver.save()
    aws.client("ecr").create_repository(repositoryName="later")

    class Killed(BaseException):
        pass

    def killed(_: int) -> None:
        raise Killed

    monkeypatch.setattr(os, "fsync", killed)  # half-way: the bytes may be in the file, the rename has not happened
    with pytest.raises(Killed):
        aws.application.saver.save()
    monkeypatch.undo()
    assert seen(restart()) == before


def test_a_full_disk_keeps_the_last_snapshot_and_is_reported(
    aws: LocalAws, restart: Callable[[], LocalAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(aws)
    before = seen(aws)
    aws.application.saver.save()
    aws.client("ecr").create_repository(repositoryName="later")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    answer = aws.own("POST", "save")
    assert (answer.status_code, answer.get_json()["error"]) == (507, "cannot save the state: No space left on device")
    assert [path.name for path in aws.folder.glob("*snapshot*")] == ["snapshot"]
    monkeypatch.undo()
    assert seen(restart()) == before


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def of_another_version(data: bytes) -> bytes:
    return data.replace(b"longshore-aws 1", b"longshore-aws 0", 1)


def emptied(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut, of_another_version, emptied])
def test_a_damaged_snapshot_is_moved_aside_and_named(
    aws: LocalAws, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    aws.application.saver.save()
    path = tmp_path / "snapshot"
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(state.Unreadable, match=r"cannot restore .* snapshot is now snapshot.unreadable-"):
        state.restore(path)
    assert not path.exists()
    assert next(tmp_path.glob("snapshot.unreadable-*")).read_bytes() == damaged


def test_no_snapshot_is_a_first_start(tmp_path: Path) -> None:
    assert state.restore(tmp_path / "snapshot") is False


def test_the_operators_key_survives_a_lost_snapshot(aws: LocalAws, restart: Callable[[], LocalAws]) -> None:
    before = (aws.folder / "credentials").read_text()
    again = restart()  # nothing was saved
    assert (again.folder / "credentials").read_text() == before
    assert aws.operator.get_credentials() is not None
    assert again.client("sts", aws.operator).get_caller_identity()["Arn"].endswith(":user/operator")


def test_only_a_change_is_saved(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[bool] = []
    monkeypatch.setattr(aws.application.saver, "changed", lambda: noted.append(True))
    aws.client("ec2").describe_vpcs()
    aws.client("eks").list_clusters()
    assert noted == []
    aws.client("ecr").create_repository(repositoryName="shop/app")
    assert noted == [True]


def test_parameters_and_their_tags_outlive_a_restart(aws: LocalAws, restart: Callable[[], LocalAws]) -> None:
    ssm = aws.client("ssm")
    image = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/x86_64/standard/recommended/release_version"
    ssm.get_parameter(Name=image)
    ssm.put_parameter(Name="colour", Value="blue", Type="String")
    for name in ("first", "second"):  # what was restored can be saved again
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="colour", Tags=[{"Key": name, "Value": "1"}])
        aws.application.saver.save()
        aws = restart()
        ssm = aws.client("ssm")
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="colour")["TagList"]
    assert [tag["Key"] for tag in tags] == ["first", "second"]
    assert ssm.get_parameter(Name=image)["Parameter"]["Value"].startswith("1.35.")
