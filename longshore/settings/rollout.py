"""The tables that limit a rollout: how long it waits for what, and how many requests may fail."""

from __future__ import annotations

from msgspec import Struct

from longshore.settings.values import Seconds, Share

# What a release takes besides what the settings say; seconds.
DRAIN = 70.0  # for old pods to end: k8s/base gives one 60, and a load balancer keeps asking it
SMOKE = 300.0  # for the smoke tests


class Patience(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[environments.NAME.patience]`: seconds, in total, that a rollout waits for conditions that may still clear.

    `pull`: a registry that does not answer. `schedule`: a node with room (an autoscaler may add one), quota, a network.
    `node`: a busy node that takes what it was given; a dead one never does. `volume`: storage. `config`: a ConfigMap or
    Secret that another controller creates.
    """

    pull: Seconds = 60.0
    schedule: Seconds = 120.0
    node: Seconds = 120.0
    volume: Seconds = 120.0
    config: Seconds = 10.0


class Budgets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[environments.NAME.budgets]`: what the public address may do wrong before the release counts as bad.

    `errors` is the share of requests that may fail during the bake; within `latency` seconds 95 % must answer.
    """

    errors: Share = 0.01
    latency: Seconds = 2.0
