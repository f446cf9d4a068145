"""The AWS account: whose credentials these are, and whether it has what terraform/ asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from longshore import aws
from longshore.doctor.finding import Finding, Place

LEAST, MOST = 2, 3  # availability zones that the network spans, where the variables do not say


def identity(place: Place) -> Iterator[Finding]:
    """Yield whether there are credentials, and whether they belong to the account in the settings."""
    wanted = place.environment.account
    with aws.errors("AWS"):
        caller = aws.client(place.environment, "sts").get_caller_identity()
    advice = f"use credentials of account {wanted}, or correct `account` in longshore.toml"
    yield Finding(caller["Account"] == wanted, f"credentials of {caller['Arn']}", advice)


def principal(place: Place) -> str:
    """Return the ARN of the user or role behind the credentials; of the role where they are a session's."""
    with aws.errors("AWS"):
        arn = str(aws.client(place.environment, "sts").get_caller_identity()["Arn"])
        if ":assumed-role/" not in arn:
            return arn
        name = arn.split("/")[1]
        return str(aws.client(place.environment, "iam").get_role(RoleName=name)["Role"]["Arn"])


def administrators(place: Place) -> Iterator[Finding]:
    """Yield whether each administrator of the cluster exists: EKS refuses an access entry for one that does not."""
    iam = aws.client(place.environment, "iam")
    for arn in place.variables.get("admin_principal_arns") or []:
        kind, name = arn.split(":", 5)[5].partition("/")[0], arn.rpartition("/")[2]
        with aws.errors(f"whether {arn} exists"):
            try:
                iam.get_role(RoleName=name) if kind == "role" else iam.get_user(UserName=name)
                yield Finding(True, f"{arn} exists")
            except iam.exceptions.NoSuchEntityException:
                yield Finding(False, f"{arn} does not exist", "make it, or name another in admin_principal_arns")


def zones(place: Place) -> Iterator[Finding]:
    """Yield whether the region has enough zones, and each instance type in those that are used."""
    region, ec2 = place.environment.region, aws.client(place.environment, "ec2")
    with aws.errors(f"the zones of {region}"):
        filters = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
        names = sorted(
            zone["ZoneName"] for zone in ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
        )
        what = f"{region} has the zones {', '.join(names) or 'none'}"
        yield Finding(len(names) >= LEAST, what, f"choose a region with {LEAST} zones")
        used = names[: place.variables.get("zones") or MOST]
        for kind in place.variables.get("node_instance_types") or []:
            wanted: dict[str, Any] = {"Filters": [{"Name": "instance-type", "Values": [kind]}]}
            offers = ec2.describe_instance_type_offerings(LocationType="availability-zone", **wanted)
            lacking = sorted({*used} - {offer["Location"] for offer in offers["InstanceTypeOfferings"]})
            advice = f"not in {', '.join(lacking)}: choose another type in node_instance_types"
            yield Finding(not lacking, f"{kind} in the zones {', '.join(used)}", advice)
