"""Whether the account's quotas leave room for what terraform/ makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from longshore import aws
from longshore.doctor.account import MOST
from longshore.doctor.finding import Finding, Place

# Codes of Service Quotas. vCPUs of running on-demand instances, by the letters that the family's name begins with:
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
STANDARD = "L-1216C47A"
FAMILIES = {"f": "L-74FC7D96", "g": "L-DB2E81BA", "vt": "L-DB2E81BA", "p": "L-417A185B", "x": "L-7295265B"}
ADDRESSES, NETWORKS = "L-0263D0A3", "L-F678F1CE"
ASK = "ask for more: Service Quotas in the console, or `aws service-quotas request-service-quota-increase`"


def check(place: Place) -> Iterator[Finding]:
    """Yield whether there is room for nodes, public addresses and the network."""
    ec2, what = aws.client(place.environment, "ec2"), "quotas"
    with aws.errors(what):
        exists = _exists(place)
        yield from _vcpus(place, ec2, exists=exists)
        addresses = 1 if place.variables.get("single_nat_gateway") else place.variables.get("zones") or MOST
        used = len(ec2.describe_addresses()["Addresses"])
        yield _room(place, "ec2", ADDRESSES, "Elastic IP addresses", used, 0 if exists else addresses)
        used = len(ec2.describe_vpcs()["Vpcs"])
        yield _room(place, "vpc", NETWORKS, "VPCs", used, 0 if exists else 1)


def code_of(instance_type: str) -> str:
    """Return the code of the quota that INSTANCE_TYPE counts towards, or an empty text where that is not known."""
    letters = re.match("[a-z]+", instance_type.partition(".")[0])
    family = letters[0] if letters else ""
    if family in FAMILIES:
        return FAMILIES[family]
    return STANDARD if family[:1] in set("acdhimrtz") and family not in ("dl", "hpc", "inf", "trn") else ""


def _vcpus(place: Place, ec2: Any, *, exists: bool) -> Iterator[Finding]:
    kinds = place.variables.get("node_instance_types") or []
    code = code_of(kinds[0]) if kinds else ""
    if not code:
        yield Finding(None, "vCPUs for the nodes", f"the quota of {kinds} is not in Longshore's table")
        return
    size = {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in _types(ec2, kinds)}
    states = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    running = [
        instance["InstanceType"]
        for page in ec2.get_paginator("describe_instances").paginate(Filters=states)
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        if code_of(instance["InstanceType"]) == code
    ]
    size |= {each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in _types(ec2, {*running} - {*size})}
    # Of an environment that exists, only the node that an update adds is yet to come.
    nodes = 1 if exists else int(place.variables.get("node_max_size") or 1)
    used, need = sum(size[kind] for kind in running), nodes * max(size[kind] for kind in kinds)
    yield _room(place, "ec2", code, f"vCPUs for {nodes} of {kinds[0]}", used, need)


def _types(ec2: Any, names: Any) -> list[Any]:
    return list(ec2.describe_instance_types(InstanceTypes=sorted(names))["InstanceTypes"]) if names else []


def _exists(place: Place) -> bool:
    eks = aws.client(place.environment, "eks")
    try:
        eks.describe_cluster(name=place.cluster)
    except eks.exceptions.ResourceNotFoundException:
        return False
    return True


def _room(place: Place, service: str, code: str, what: str, used: int, need: int) -> Finding:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        quotas = aws.client(place.environment, "service-quotas")
        most = int(quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
    except (BotoCoreError, ClientError) as problem:
        return Finding(None, what, f"the quota {code} of {service} cannot be read: {problem}")
    return Finding(used + need <= most, f"{what}: {used} in use, {need} to come, {most} allowed", ASK)
