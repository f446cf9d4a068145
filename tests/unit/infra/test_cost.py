"""What a plan costs, by the price table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import Precondition
from longshore.infra import cost

ROOT = Path(__file__).parents[3]


def entry(address: str, after: dict[str, Any] | None, before: dict[str, Any] | None = None) -> dict[str, Any]:
    kind = re.sub(r"\[.*", "", address).partition(".")[0]
    return {"address": address, "mode": "managed", "type": kind, "change": {"before": before, "after": after}}


TEMPLATE = {"block_device_mappings": [{"ebs": [{"volume_size": 50}]}], "monitoring": [{"enabled": True}]}
NODES = {"instance_types": ["m6i.large"], "scaling_config": [{"desired_size": 3}], "capacity_type": "ON_DEMAND"}
ZONES = [entry(f"aws_subnet.private[{zone}]", {"availability_zone": zone}) for zone in ("1a", "1b", "1c")]
RATE = {"metric_query": [{"metric": []}, {"metric": [{}]}, {"metric": [{}]}]}
PLAN = {
    "resource_changes": [
        *ZONES,
        entry("aws_eks_cluster.this", {}),
        entry("aws_eks_node_group.main", NODES),
        entry("aws_launch_template.node", TEMPLATE),
        entry("aws_nat_gateway.this[0]", {}),
        entry("aws_eip.nat[0]", {}),
        entry("aws_lb.this", {}),
        entry('aws_vpc_endpoint.interface["sts"]', {"vpc_endpoint_type": "Interface"}),
        entry("aws_vpc_endpoint.s3", {"vpc_endpoint_type": "Gateway"}),
        entry("aws_wafv2_web_acl.this[0]", {"rule": [{}, {}, {}, {}]}),
        entry("aws_cloudwatch_metric_alarm.rate", RATE),
        entry("aws_s3_bucket.alb_logs", {}),
        entry("aws_rds_cluster.shop", {}),
    ]
}


def prices() -> dict[str, float]:
    return {item.address: item.usd for item in cost.estimate(PLAN, "eu-central-1").items}


def test_each_resource_has_its_monthly_price() -> None:
    assert {address: round(usd, 2) for address, usd in prices().items()} == {
        "aws_eks_cluster.this": 73.0,
        "aws_eks_node_group.main": round(3 * (0.115 * 730 + 50 * 0.0952 + 2.1), 2),
        "aws_nat_gateway.this[0]": 37.96,
        "aws_eip.nat[0]": 3.65,
        "aws_lb.this": round((0.027 + 3 * 0.005) * 730, 2),
        'aws_vpc_endpoint.interface["sts"]': round(3 * 0.012 * 730, 2),
        "aws_wafv2_web_acl.this[0]": 9.0,
        "aws_cloudwatch_metric_alarm.rate": 0.2,
    }


def test_the_dearest_comes_first_and_the_sum_is_theirs() -> None:
    estimate = cost.estimate(PLAN, "eu-central-1")
    assert [item.usd for item in estimate.items] == sorted(prices().values(), reverse=True)
    assert estimate.usd == pytest.approx(sum(prices().values()))


def test_an_estimate_says_what_it_leaves_out_and_does_not_know() -> None:
    estimate = cost.estimate(PLAN, "eu-central-1")
    assert estimate.unknown == ("aws_rds_cluster.shop",)
    assert estimate.by_use == ("aws_s3_bucket.alb_logs",)
    assert all(word in cost.LEFT_OUT for word in ("traffic", "logs", "requests", "tax"))
    assert estimate.as_of == "2026-11-29"


def test_an_instance_type_without_a_price_is_unknown_not_free() -> None:
    plan = {"resource_changes": [entry("aws_eks_node_group.main", NODES | {"instance_types": ["x9.huge"]})]}
    estimate = cost.estimate(plan, "eu-central-1")
    assert (estimate.items, estimate.unknown) == ((), ("aws_eks_node_group.main (x9.huge)",))


def test_a_region_without_prices_is_a_sentence_and_not_zero() -> None:
    with pytest.raises(Precondition, match="no prices for sa-east-1") as refused:
        cost.estimate(PLAN, "sa-east-1")
    assert "eu-central-1, eu-west-1, us-east-1, us-west-2" in refused.value.hint
    assert cost.changes(PLAN, "sa-east-1") == {}


def test_a_change_costs_the_difference() -> None:
    more = NODES | {"scaling_config": [{"desired_size": 4}]}
    plan = {
        "resource_changes": [
            *ZONES,
            entry("aws_eks_cluster.this", {}, {}),
            entry("aws_launch_template.node", TEMPLATE, TEMPLATE),
            entry("aws_eks_node_group.main", more, NODES),
            entry("aws_nat_gateway.this[1]", {}),
            entry("aws_wafv2_web_acl.this[0]", None, {"rule": [{}]}),
        ]
    }
    assert {address: round(usd, 2) for address, usd in cost.changes(plan, "eu-central-1").items()} == {
        "aws_eks_node_group.main": round(0.115 * 730 + 50 * 0.0952 + 2.1, 2),
        "aws_nat_gateway.this[1]": 37.96,
        "aws_wafv2_web_acl.this[0]": -6.0,
    }


@pytest.mark.parametrize("region", list(cost.prices().regions))
def test_a_region_has_every_price(region: str) -> None:
    estimate = cost.estimate(PLAN, region)
    assert len(estimate.items) == 8
    assert estimate.usd > 390


def test_every_kind_of_resource_in_terraform_is_priced_or_known_to_be_free_or_by_use() -> None:
    kinds = {
        kind
        for path in (ROOT / "terraform").glob("*.tf")
        for kind in re.findall(r'^resource "(\w+)"', path.read_text(), re.MULTILINE)
    }
    assert len(kinds) > 40
    assert not {kind for kind in kinds if not cost.known(kind)}
