"""The tables of longshore.toml that say what a rollout may cost: how long it waits for what, and how many requests may fail."""

from __future__ import annotations

from typing import Annotated

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0, le=86400)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Patience(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[environments.NAME.patience]`: seconds, in sum, that a rollout waits for what may still come.

    `pull`: a registry that does not answer. `schedule`: a node with room (an autoscaler may bring one), quota, a network. `volume`:
    storage. `config`: a ConfigMap or Secret that another controller makes.
    """

    pull: Seconds = 60.0
    schedule: Seconds = 120.0
    volume: Seconds = 120.0
    config: Seconds = 10.0


class Budgets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[environments.NAME.budgets]`: what the public address may do wrong before the release counts as bad.

    `errors` is the share of the requests during the bake that may fail, `latency` the seconds within which 95 of 100 answer.
    """

    errors: Share = 0.01
    latency: Seconds = 2.0
