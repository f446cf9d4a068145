from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.aws_process import REGION, ROOT, AwsProcess


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsProcess]:
    process = AwsProcess(tmp_path / "state")
    process.start()
    yield process
    if process.process:
        process.end(kill=True)


def names(aws: AwsProcess) -> list[str]:
    return sorted(
        repository["repositoryName"] for repository in aws.client("ecr").describe_repositories()["repositories"]
    )


def wait_until_saved(aws: AwsProcess, after: float) -> None:
    deadline = time.monotonic() + 15
    while (aws.ask("/_local/health")["saved_at"] or 0) < after:
        assert time.monotonic() < deadline, "no snapshot was written"
        time.sleep(0.1)


def test_it_ends_on_sigterm_and_knows_everything_after(aws: AwsProcess) -> None:
    aws.client("ecr").create_repository(repositoryName="shop/app")
    credentials = (aws.folder / "credentials").read_text()
    assert aws.end() == 0
    aws.start()
    assert names(aws) == ["shop/app"]
    assert (aws.folder / "credentials").read_text() == credentials
    assert aws.client("sts").get_caller_identity()["Arn"].endswith(":user/operator")


def test_a_kill_loses_nothing_that_was_saved_on_request(aws: AwsProcess) -> None:
    aws.client("ecr").create_repository(repositoryName="shop/app")
    aws.ask("/_local/save", "POST")
    aws.end(kill=True)
    aws.start()
    assert names(aws) == ["shop/app"]


def test_a_change_is_saved_by_itself_soon_after(aws: AwsProcess) -> None:
    began = time.time()
    aws.client("ecr").create_repository(repositoryName="shop/app")
    wait_until_saved(aws, began)
    aws.end(kill=True)
    aws.start()
    assert names(aws) == ["shop/app"]


def test_kills_at_any_moment_leave_a_snapshot_that_can_be_read(aws: AwsProcess) -> None:
    known: list[str] = []
    for turn, pause in enumerate((0.0, 0.4, 0.6, 0.8)):
        aws.client("ecr").create_repository(repositoryName=f"repository-{turn}")
        time.sleep(pause)
        aws.end(kill=True)
        aws.start()
        restored = names(aws)
        assert set(known) <= set(restored)
        known = restored
    assert "unreadable" not in aws.errors.read_text()


def test_a_damaged_snapshot_is_moved_aside_and_reported(aws: AwsProcess) -> None:
    assert aws.end() == 0
    (aws.folder / "snapshot").write_bytes(b"damaged")
    aws.start()
    assert "cannot restore the local AWS" in aws.errors.read_text()
    assert "Traceback" not in aws.errors.read_text()
    assert len(list(aws.folder.glob("snapshot.unreadable-*"))) == 1
    assert aws.client("sts").get_caller_identity()["Arn"].endswith(":user/operator")


def test_a_taken_port_is_one_sentence_and_exit_3(aws: AwsProcess, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "localcloud.aws", "--state", str(tmp_path / "other")]
    second = subprocess.run(
        [*argv, "--listen", f"127.0.0.1:{aws.port}"], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert second.returncode == 3
    assert second.stderr == f"cannot start: 127.0.0.1:{aws.port}: Address already in use\n"


def test_kubectls_plugin_prints_a_token_that_the_webhook_accepts(aws: AwsProcess, tmp_path: Path) -> None:
    ec2, eks = aws.client("ec2"), aws.client("eks")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]  # the default VPC's
    role = aws.client("iam").create_role(RoleName="cluster", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    eks.create_cluster(
        name="shop-local",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
    )
    argv = [sys.executable, "-m", "longshore.kubernetes.eks_token", "--cluster-name", "shop-local", "--region", REGION]
    argv += ["--endpoint-url", aws.url, "--cache", str(tmp_path / "tokens")]
    prints = [
        subprocess.run(
            argv, env=aws.environment, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
        ).stdout
        for _ in range(2)
    ]
    assert prints[0] == prints[1]
    token = json.loads(prints[0])["status"]["token"]
    review = aws.ask("/_local/authenticate", "POST", json.dumps({"spec": {"token": token}}).encode())
    assert review["status"]["authenticated"]
    assert review["status"]["user"]["groups"] == ["eks:AmazonEKSClusterAdminPolicy"]
