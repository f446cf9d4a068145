"""Route 53: each zone has name servers of its own. What is delegated to a deleted zone's finds no other."""

from __future__ import annotations

from typing import Any

from moto.route53.models import Route53Backend

from localcloud.aws.patching import wrap

ENDS = ("com", "net", "org", "co.uk")  # each has 512 of the 2,048 servers, eight to a number of `awsdns`


@wrap(Route53Backend, "create_reusable_delegation_set", "create_hosted_zone")
def create_reusable_delegation_set(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """Give the set name servers that no other set has; moto gives all of them the same."""
    known = self.delegation_sets.get(kwargs.get("delegation_set_id"))
    number = len(self.delegation_sets) * 37 % 512
    made = original(self, *args, **kwargs)
    if known:
        made.name_servers = known.name_servers
    elif not kwargs.get("hosted_zone_id"):
        made.name_servers = [f"ns-{512 * turn + number}.awsdns-{number // 8:02}.{end}" for turn, end in enumerate(ENDS)]
    return made
