"""What EKS refuses though its model allows it: zones, versions, sizes, names, principals; in EKS's words if known."""

from __future__ import annotations

import re
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import Refused
from longshore.infra.support import SUPPORT

# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html, read on 2026-11-29
UNSUPPORTED_ZONES = frozenset(("cac1-az3", "use1-az3", "usw1-az2"))
# Upstream versions of add-ons that EKS offers for 1.33 to 1.37, of listings published by 2026-11-29: too few rather
# than too many, and builds are not looked at. kube-proxy has the cluster's own minor version.
ADDONS = {
    "vpc-cni": ("1.20.", "1.21.", "1.22."),
    "coredns": ("1.12.", "1.13.", "1.14."),
    "eks-pod-identity-agent": ("1.3.",),
    "metrics-server": ("0.8.",),
    "amazon-cloudwatch-observability": ("4.", "5.", "6."),
    "aws-ebs-csi-driver": ("1.5",),
}
LONGEST_NODE_GROUP = 63


def _bad(message: str) -> Refused:
    return Refused(400, "InvalidParameterException", message)


def minor(version: str) -> int:
    """Return 35 for 1.35."""
    return int(version.split(".")[1])


def version_offered(version: str) -> None:
    """Refuse a Kubernetes version that EKS does not offer."""
    if version not in SUPPORT:
        raise _bad("unsupported Kubernetes version")


def upgrade(old: str, new: str) -> None:
    """Refuse an update of a control plane unless it is to the next minor version.

    Since 2026 EKS takes back an upgrade within seven days; here it does not, so that nothing relies on it.
    """
    version_offered(new)
    if minor(new) != minor(old) + 1:
        raise _bad(f"Unsupported Kubernetes minor version update from {old} to {new}")


def node_upgrade(old: str, new: str, control_plane: str) -> None:
    """Refuse nodes that are newer than their control plane, or older than they were."""
    if minor(new) > minor(control_plane):
        raise _bad(f"Nodegroup version {new} is above the cluster's version {control_plane}")
    if minor(new) < minor(old):
        raise _bad(f"Nodegroup version can't be downgraded from {old} to {new}")


def zones(name: str, region: str, subnets: list[str]) -> None:
    """Refuse subnets in a zone that EKS does not take, or in one zone alone."""
    ec2 = ec2_backends[ACCOUNT][region]
    ids = {zone.name: zone.zone_id for zone in ec2.describe_availability_zones()}
    chosen = {ec2.get_subnet(subnet).availability_zone for subnet in subnets}
    for zone in sorted(chosen):
        if ids[zone] in UNSUPPORTED_ZONES:
            others = ", ".join(sorted(each for each in ids if ids[each] not in UNSUPPORTED_ZONES))
            message = (
                f"Cannot create cluster '{name}' because {zone}, the targeted availability zone, does not currently "
                f"have sufficient capacity to support the cluster. Retry and choose from these availability zones: "
                f"{others}"
            )
            raise Refused(400, "UnsupportedAvailabilityZoneException", message)
    if len(chosen) < 2:
        raise _bad("Subnets specified must be in at least two different AZs")


def sizes(scaling: dict[str, int]) -> None:
    """Refuse a desired size that is not between minimum and maximum."""
    least, most, desired = (scaling[key] for key in ("minSize", "maxSize", "desiredSize"))
    if least > desired:
        raise _bad(f"Minimum capacity {least} can't be greater than desired size {desired}")
    if desired > most:
        raise _bad(f"desired capacity {desired} can't be greater than max size {most}")


def node_group_name(name: str) -> None:
    """Refuse a name that is too long."""
    if len(name) > LONGEST_NODE_GROUP:
        raise _bad(f"Nodegroup name can't be longer than {LONGEST_NODE_GROUP} characters!")


def exists(principal: str) -> bool:
    """Return whether the IAM user or role with this ARN exists."""
    iam = iam_backends[ACCOUNT][PARTITION]
    things: list[Any] = [*iam.roles.values(), *iam.users.values()]
    return any(thing.arn == principal for thing in things)


def principal(arn: str) -> None:
    """Refuse an access entry for somebody who does not exist."""
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:(user|role)/.+", arn):
        raise _bad("The principalArn parameter format is not valid")
    if not exists(arn):
        raise _bad("The specified principalArn is invalid: invalid principal.")


def role(arn: str, sentence: str) -> None:
    """Refuse, with SENTENCE about its {arn} or {name}, a role that does not exist."""
    if not exists(arn):
        raise _bad(sentence.format(arn=arn, name=arn.rpartition("/")[2]))


def addon_version(addon: str, version: str, control_plane: str) -> None:
    """Refuse a version that EKS does not offer for this add-on and version of Kubernetes."""
    offered = (f"{control_plane}.",) if addon == "kube-proxy" else ADDONS[addon]
    if not version.removeprefix("v").startswith(offered):
        raise _bad("Addon version specified is not supported")
