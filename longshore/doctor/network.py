"""What can be reached from here: the cluster's API, and whether the domain leads to its zone."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from longshore import aws
from longshore.doctor.finding import Finding, Place
from longshore.infra import delegation

ASKED = "https://checkip.amazonaws.com"  # Amazon's own; answers with the address that a request came from
PATIENCE = 5.0  # seconds


def own_address(place: Place) -> Iterator[Finding]:
    """Yield whether the API's ranges contain the address with which this machine leaves its network."""
    ranges = [ip_network(text, strict=False) for text in place.variables.get("api_allowed_cidrs") or []]
    if not ranges:
        return
    try:
        with urllib.request.urlopen(ASKED, timeout=PATIENCE) as answer:  # nosec B310 - https
            address = ip_address(answer.read(64).decode().strip())
    except (OSError, ValueError) as problem:
        why = f"{ASKED} did not say it ({problem}); `curl {ASKED}` from where you deploy, and compare api_allowed_cidrs"
        yield Finding(None, "this machine's own address", why)
        return
    within = any(address.version == each.version and address in each for each in ranges)
    advice = f"add {address}/32 to api_allowed_cidrs, unless you deploy from somewhere else"
    yield Finding(within, f"this machine's address {address} is in api_allowed_cidrs", advice)


def api(place: Place) -> Iterator[Finding]:
    """Yield whether the cluster's API endpoint accepts connections from here."""
    what = "the cluster's API endpoint"
    eks = aws.client(place.environment, "eks")
    with aws.errors(what):
        try:
            endpoint = eks.describe_cluster(name=place.cluster)["cluster"].get("endpoint")
        except eks.exceptions.ResourceNotFoundException:
            endpoint = None
    if not endpoint:
        yield Finding(None, what, f"there is no cluster {place.cluster} yet")
        return
    parts = urlsplit(endpoint)
    try:
        with closing(socket.create_connection((parts.hostname, parts.port or 443), PATIENCE)):
            yield Finding(True, f"{what} {parts.hostname} accepts connections")
    except OSError as problem:
        yield Finding(False, f"{what} {parts.hostname}", f"{problem}: see api_allowed_cidrs, and proxies on the way")


def domain(place: Place) -> Iterator[Finding]:
    """Yield whether the domain is delegated to its zone in Route 53."""
    name, given = str(place.variables.get("domain_name")), place.variables.get("hosted_zone_id")
    what = f"the delegation of {name}"
    route53 = aws.client(place.environment, "route53")
    with aws.errors(what):
        if given:
            zones = [route53.get_hosted_zone(Id=given)["HostedZone"]]
        else:
            listed = route53.list_hosted_zones_by_name(DNSName=name)["HostedZones"]
            zones = [zone for zone in listed if zone["Name"].rstrip(".") == name and not zone["Config"]["PrivateZone"]]
        if not zones:
            yield Finding(None, what, "its zone does not exist yet: the first plan and apply make it")
            return
        if len(zones) > 1:
            ids = ", ".join(zone["Id"].rpartition("/")[2] for zone in zones)
            yield Finding(False, f"zones of {name}: {ids}", "one is wanted: set `hosted_zone_id`, or delete the others")
            return
        servers = route53.get_hosted_zone(Id=zones[0]["Id"])["DelegationSet"]["NameServers"]
    apex = zones[0]["Name"].rstrip(".")
    result = delegation.check(apex, servers, place.environment.resolvers)
    records = "; ".join(delegation.records(apex, servers))
    advice = f"{result.why}; enter where {delegation.above(apex)} is managed: {records}" if result.why else ""
    yield Finding(result.fine, f"{apex} is delegated to its zone", advice)
