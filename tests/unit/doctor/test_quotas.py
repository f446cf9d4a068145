"""Whether what is to be made fits into the account beside what runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from longshore import aws
from longshore.doctor import quotas
from tests.unit.doctor.place import ACCOUNT, place, wrong


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("m6i.large", quotas.STANDARD),
        ("t4g.medium", quotas.STANDARD),
        ("c7gn.xlarge", quotas.STANDARD),
        ("hpc7g.16xlarge", ""),
        ("inf2.xlarge", ""),
        ("g5.xlarge", "L-DB2E81BA"),
        ("p5.48xlarge", "L-417A185B"),
        ("x2idn.16xlarge", "L-7295265B"),
        ("", ""),
    ],
)
def test_an_instance_type_counts_towards_its_familys_quota(kind: str, code: str) -> None:
    assert quotas.code_of(kind) == code


@pytest.mark.usefixtures("amazon")
def test_a_full_region_is_found_before_terraform_meets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Quotas:
        def get_service_quota(self, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803 (boto3's)
            if ServiceCode == "ec2":
                raise ClientError({"Error": {"Code": "AccessDenied", "Message": QuotaCode}}, "GetServiceQuota")
            return {"Quota": {"Value": 5.0}}

    here, made = place(tmp_path, account=ACCOUNT), aws.client
    monkeypatch.setattr(aws, "client", lambda where, name: Quotas() if name == "service-quotas" else made(where, name))
    rows = {row.what.partition(":")[0]: row for row in quotas.check(here)}
    assert rows["VPCs"].fine
    assert rows["vCPUs for 6 of m6i.large"].fine is None
    assert "cannot be read" in rows["vCPUs for 6 of m6i.large"].do
    for _ in range(4):
        aws.client(here.environment, "ec2").create_vpc(CidrBlock="10.0.0.0/16")
    assert wrong(quotas.check(here)) == ["VPCs: 5 in use, 1 to come, 5 allowed"]


@pytest.mark.usefixtures("amazon")
@pytest.mark.parametrize(("most", "fine"), [(11.0, False), (16.0, True)])
def test_nodes_have_to_fit_beside_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: float, fine: bool
) -> None:
    here, made = place(tmp_path, account=ACCOUNT, node_max_size=6), aws.client
    ec2 = made(here.environment, "ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="m5.xlarge")

    class Quotas:
        def get_service_quota(self, **_: str) -> dict[str, Any]:
            return {"Quota": {"Value": most}}

    monkeypatch.setattr(aws, "client", lambda where, name: Quotas() if name == "service-quotas" else made(where, name))
    row, addresses, _ = quotas.check(here)
    assert row.what == f"vCPUs for 6 of m6i.large: 4 in use, 12 to come, {most:.0f} allowed"
    assert row.fine is fine
    assert addresses.what == f"Elastic IP addresses: 0 in use, 3 to come, {most:.0f} allowed"
    for shape, count in (({"zones": 2}, 2), ({"zones": 3, "single_nat_gateway": True}, 1)):
        _, addresses, _ = quotas.check(place(tmp_path, account=ACCOUNT, **shape))
        assert addresses.what.startswith(f"Elastic IP addresses: 0 in use, {count} to come")
