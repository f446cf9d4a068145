"""Elastic Load Balancing: a load balancer for the internet needs a VPC that has a gateway to it. Moto takes any."""

from __future__ import annotations

from typing import Any

from moto.elbv2.models import ELBv2Backend

from localcloud.aws.patching import Refused, wrap


@wrap(ELBv2Backend, "create_load_balancer")
def create_load_balancer(original: Any, self: Any, *args: Any, **asked: Any) -> Any:
    """Refuse one for the internet, which is the default, in a VPC to which no internet gateway is attached."""
    balancer = original(self, *args, **asked)
    balancer.scheme = balancer.scheme or "internet-facing"
    gateways = self.ec2_backend.internet_gateways.values()
    attached = {gateway.vpc.id for gateway in gateways if gateway.vpc}
    if balancer.scheme != "internal" and balancer.vpc_id not in attached:
        del self.load_balancers[balancer.arn]
        raise Refused(400, "InvalidSubnet", f"VPC {balancer.vpc_id} has no internet gateway")
    return balancer
