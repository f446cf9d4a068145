"""Everything that is looked at before a deployment to AWS, in the order in which a person would."""

from __future__ import annotations

from collections.abc import Iterator

from longshore.doctor import account, network, permissions, programs, quotas, support, variables
from longshore.doctor.finding import Check, Finding, Place, found

# With neither credentials nor the right account, AWS has nothing to say about this environment.
HERE: tuple[tuple[str, Check], ...] = (("programs", programs.check), ("variables", variables.check))
IN_AWS: tuple[tuple[str, Check], ...] = (
    ("zones", account.zones),
    ("administrators", account.administrators),
    ("permissions", permissions.check),
    ("quotas", quotas.check),
    ("the cluster's API endpoint", network.api),
    ("the delegation", network.domain),
)
ANYWHERE: tuple[tuple[str, Check], ...] = (("own address", network.own_address), ("support", support.check))


def examine(place: Place) -> Iterator[Finding]:
    """Yield a finding for each thing that a deployment to PLACE needs."""
    for what, check in HERE:
        yield from found(what, check, place)
    whose = found("credentials", account.identity, place)
    if whose[0].fine is None:  # without credentials nothing can be deployed
        advice = f"{whose[0].do}; give this shell credentials: `aws configure sso`, `aws login`, or AWS_… variables"
        whose = [Finding(False, "AWS credentials", advice)]
    yield from whose
    for what, check in IN_AWS:
        yield from found(what, check, place) if whose[0].fine else [Finding(None, what, "needs the right credentials")]
    for what, check in ANYWHERE:
        yield from found(what, check, place)
