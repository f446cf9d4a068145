"""What the resources of a plan cost a month, by the dated table prices.json, from `terraform show -json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from longshore.errors import BadInput, Precondition

HOURS = 730  # a month, as AWS's own calculator counts
LEFT_OUT = "traffic, logs, metrics of pods, stored images and objects, requests, tax, discounts"
Side = Literal["before", "after"]
Fields = Mapping[str, Any]


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of one region in US dollars; instances by type."""

    nat_gateway_hour: float
    load_balancer_hour: float
    interface_endpoint_zone_hour: float
    gp3_gib_month: float
    instance_hour: dict[str, float]


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """The table: when and whence its figures are, those that all regions share, and each region's own."""

    as_of: str
    source: str
    everywhere: dict[str, float]
    regions: dict[str, Region]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A resource and its price in US dollars a month."""

    address: str
    usd: float


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan's resources cost: `by_use` are billed by what passes through them, `unknown` have no price here."""

    as_of: str
    region: str
    items: tuple[Item, ...]
    by_use: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def usd(self) -> float:
        return sum(item.usd for item in self.items)

    @property
    def lines(self) -> list[str]:
        """What a person reads: the sum, the items, and what is not in them."""
        head = f"{self.usd:.0f} USD a month in {self.region}, by list prices of {self.as_of}"
        lines = [head, *(f"  {item.usd:8.2f}  {item.address}" for item in self.items)]
        lines.append(f"without {LEFT_OUT}; by use: {', '.join(self.by_use) or 'nothing'}")
        return [*lines, *(f"not known: {address}" for address in self.unknown)]


@cache
def prices() -> Prices:
    """Return the table."""
    return msgspec.json.decode((Path(__file__).parent / "prices.json").read_bytes(), type=Prices)


class _Plan:
    """One side of a plan: what a resource's price needs beside the resource itself."""

    def __init__(self, plan: Fields, side: Side, region: Region) -> None:
        changes = (entry for entry in plan.get("resource_changes", ()) if entry.get("mode", "managed") == "managed")
        self.made = {entry["address"]: (entry["type"], entry["change"].get(side)) for entry in changes}
        self.made = {address: made for address, made in self.made.items() if made[1] is not None}
        self.region, self.shared = region, prices().everywhere

    def of(self, kind: str) -> Iterator[Fields]:
        return (values for each, values in self.made.values() if each == kind)

    @property
    def zones(self) -> int:
        """How many zones there are subnets in: which subnets a resource is in is known only once they exist."""
        return len({subnet.get("availability_zone") for subnet in self.of("aws_subnet")})


def _nodes(plan: _Plan, group: Fields) -> float:
    (kind, *_), size = group["instance_types"], group["scaling_config"][0]["desired_size"]
    each = plan.region.instance_hour[kind] * HOURS
    for template in plan.of("aws_launch_template"):
        each += sum(disk["ebs"][0]["volume_size"] for disk in template["block_device_mappings"]) * (
            plan.region.gp3_gib_month
        )
        if any(setting["enabled"] for setting in template.get("monitoring") or ()):
            each += plan.shared["detailed_monitoring_instance_month"]
    return float(each * size)


def _balancer(plan: _Plan, _: Fields) -> float:
    return (plan.region.load_balancer_hour + plan.zones * plan.shared["public_address_hour"]) * HOURS


def _endpoint(plan: _Plan, endpoint: Fields) -> float:
    hourly = plan.region.interface_endpoint_zone_hour * plan.zones
    return hourly * HOURS if endpoint.get("vpc_endpoint_type") == "Interface" else 0.0


def _acl(plan: _Plan, acl: Fields) -> float:
    return plan.shared["web_acl_month"] + len(acl.get("rule") or ()) * plan.shared["web_acl_rule_month"]


def _alarm(plan: _Plan, alarm: Fields) -> float:
    queried = sum(1 for query in alarm.get("metric_query") or () if query.get("metric"))
    return max(1, queried) * plan.shared["alarm_metric_month"]


def _fixed(name: str, times: int = 1) -> Callable[[_Plan, Fields], float]:
    return lambda plan, _: plan.shared[name] * times


PRICED: dict[str, Callable[[_Plan, Fields], float]] = {
    "aws_cloudwatch_dashboard": _fixed("dashboard_month"),
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_eip": _fixed("public_address_hour", HOURS),
    "aws_eks_cluster": _fixed("eks_cluster_hour", HOURS),
    "aws_eks_node_group": _nodes,
    "aws_kms_key": _fixed("kms_key_month"),
    "aws_lb": _balancer,
    "aws_nat_gateway": lambda plan, _: plan.region.nat_gateway_hour * HOURS,
    "aws_route53_zone": _fixed("hosted_zone_month"),
    "aws_vpc_endpoint": _endpoint,
    "aws_wafv2_web_acl": _acl,
}
_BY_USE = "cloudwatch_log_group ecr_repository flow_log s3_bucket sns_topic"
BY_USE = frozenset(f"aws_{kind}" for kind in _BY_USE.split())
# Cost nothing by themselves; what they start is priced where it is. A launch template's disks are its nodes'.
_FREE = (
    "acm_certificate acm_certificate_validation autoscaling_attachment budgets_budget default_security_group "
    "ecr_repository_policy eks_addon internet_gateway kms_alias kms_key_policy launch_template route "
    "sns_topic_policy sns_topic_subscription subnet vpc wafv2_ip_set wafv2_web_acl_association "
    "wafv2_web_acl_logging_configuration"
)
FREE = frozenset(f"aws_{kind}" for kind in _FREE.split())
FREE_FAMILIES = (
    *("aws_ecr_lifecycle", "aws_eks_access", "aws_eks_pod_identity", "aws_iam_", "aws_lb_", "aws_route_"),
    *("aws_route53_record", "aws_s3_bucket_", "aws_security_group", "aws_vpc_security_group", "aws_route_table"),
)


def known(kind: str) -> bool:
    """Return whether resources of KIND have a price, are billed by use, or cost nothing."""
    return kind in PRICED or kind in BY_USE or kind in FREE or kind.startswith(FREE_FAMILIES)


def _priced(plan: Fields, side: Side, region: Region) -> tuple[dict[str, float], list[str]]:
    """Return the price of each resource on SIDE of PLAN that has one, and the addresses of those without."""
    found, unknown, here = dict[str, float](), [], _Plan(plan, side, region)
    for address, (kind, values) in here.made.items():
        try:
            if kind in PRICED:
                found[address] = PRICED[kind](here, values)
            elif not known(kind):
                unknown.append(address)
        except KeyError as missing:
            unknown.append(f"{address} ({missing.args[0]})")
    return {address: usd for address, usd in found.items() if usd}, unknown


def estimate(plan: Fields, region: str) -> Estimate:
    """Return what everything in PLAN costs once it is applied, dearest first. Raises Precondition without prices."""
    table = prices()
    if region not in table.regions:
        hint = f"it has {', '.join(sorted(table.regions))}; `aws pricing get-products` has the others"
        raise Precondition(f"the table of {table.as_of} has no prices for {region}", hint=hint)
    found, without = _priced(plan, "after", table.regions[region])
    items = sorted((Item(address=address, usd=usd) for address, usd in found.items()), key=lambda item: -item.usd)
    by_use = [
        address for address, (kind, _) in _Plan(plan, "after", table.regions[region]).made.items() if kind in BY_USE
    ]
    return Estimate(as_of=table.as_of, region=region, items=tuple(items), by_use=tuple(by_use), unknown=tuple(without))


def changes(plan: Fields, region: str) -> dict[str, float]:
    """Return how much more, or less, each resource that PLAN changes will cost a month; nothing for other regions."""
    here = prices().regions.get(region)
    if here is None:
        return {}
    before, after = (_priced(plan, side, here)[0] for side in ("before", "after"))
    differing = {address: after.get(address, 0.0) - before.get(address, 0.0) for address in {**before, **after}}
    return {address: usd for address, usd in differing.items() if abs(usd) >= 0.005}


def mocked(printed: str) -> dict[str, Any]:
    """Return the plan in what `terraform test -json -verbose` PRINTED. Raises BadInput with Terraform's errors."""
    errors = []
    for line in printed.splitlines():
        event = msgspec.json.decode(line, type=dict[str, Any])
        if event.get("type") == "test_plan":
            return dict(event["test_plan"])
        if event.get("@level") == "error":
            diagnostic = event.get("diagnostic") or {}
            errors.append(f"{diagnostic.get('summary', event['@message'])}: {diagnostic.get('detail', '')}")
    raise BadInput("Terraform cannot plan this environment", detail="\n".join(errors), hint="its variables are wrong")
