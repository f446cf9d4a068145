"""The zone of the domain comes before all that waits for its delegation (decision 0050)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from longshore.errors import Precondition
from longshore.graph.steps import Progress
from longshore.infra import delegation
from longshore.infra.delegation import Delegation
from longshore.infra.summary import Change

ADDRESS = "aws_route53_zone.this[0]"
GIVEN = "data.aws_route53_zone.given"  # the zone that exists, where the variables name one
TARGETS = (ADDRESS, GIVEN)  # with what the output `name_servers` refers to besides
VALIDATION = "aws_acm_certificate_validation.this"  # what waits
FIRST = "the zone comes first; the rest is planned once its domain is delegated to it"


def comes_first(plan: Mapping[str, Any]) -> bool:
    """Whether PLAN makes a zone and something that waits until that zone is delegated."""
    return (
        _actions(plan, ADDRESS) == ["create"]
        and "create" in _actions(plan, VALIDATION)
        and not delegation.is_local(domain(plan))
    )


def is_alone(changes: Collection[Change]) -> bool:
    """Whether CHANGES are those of a plan for the zone alone."""
    return [(change.address, change.action) for change in changes] == [(ADDRESS, "create")]


def require_delegated(plan: Mapping[str, Any], resolvers: list[str], environment: str, progress: Progress) -> None:
    """Raise Precondition where PLAN has something that would wait for a delegation in vain.

    Where nobody can be asked, whoever applies it has seen to that, or Terraform stops waiting after some minutes.
    """
    if "create" not in _actions(plan, VALIDATION) or delegation.is_local(name := _apex(plan)):
        return
    output = plan.get("planned_values", {}).get("outputs", {}).get("name_servers", {})
    if (servers := output.get("value")) is None:
        raise Precondition(
            f"this plan makes the zone of {name} anew, and with it what waits until that zone is delegated",
            hint="make and delegate the zone yourself, and set its id as `hosted_zone_id`; nothing was changed",
        )
    progress("asking for the delegation")
    found = delegation.check(name, servers, resolvers)
    if found.fine is False:
        raise _undelegated(name, servers, found, environment)


def require(name: str, servers: list[str], resolvers: list[str], environment: str) -> None:
    """Raise Precondition, with the records that are missing, unless NAME is known to be delegated to SERVERS."""
    found = delegation.check(name, servers, resolvers)
    if not found.fine:
        raise _undelegated(name, servers, found, environment)


def _undelegated(name: str, servers: list[str], found: Delegation, environment: str) -> Precondition:
    above = delegation.above(name)
    return Precondition(
        f"the zone of {name} exists, and it is not known to be delegated: {found.why}",
        detail="\n".join(delegation.records(name, servers)),
        hint=f"enter these records where {above} is managed; `invoke infra.plan -e {environment}` goes on from there",
    )


def _apex(plan: Mapping[str, Any]) -> str:
    """Return the name of the zone that the domain is in: the domain itself, unless there is a zone already."""
    read = plan.get("prior_state", {}).get("values", {}).get("root_module", {}).get("resources", ())
    given = next((each["values"]["name"] for each in read if each["address"] == f"{GIVEN}[0]"), "")
    return str(given).rstrip(".") or domain(plan)


def _actions(plan: Mapping[str, Any], address: str) -> list[str]:
    return next(
        (list(entry["change"]["actions"]) for entry in plan.get("resource_changes", ()) if entry["address"] == address),
        [],
    )


def domain(plan: Mapping[str, Any]) -> str:
    """Return the domain that PLAN is for; empty where it has no such variable."""
    return str(plan.get("variables", {}).get("domain_name", {}).get("value", ""))
