"""How long a job may take: the deadlines of what it does, so that no runner stops it in the middle of a way back."""

from __future__ import annotations

import math

from longshore.settings.model import Environment, Settings
from longshore.settings.rollout import DRAIN, SMOKE

SETUP = 600.0  # seconds for the clone, the packages and the programs of a job on a slow runner
END = 240.0  # seconds until what a release made is gone: pods have up to a minute
APPLY = 120  # minutes: a cluster takes 15, its nodes 10, a certificate's validation the rest


def rollout(environment: Environment) -> int:
    """Return the minutes that a release to ENVIRONMENT may take at most, the way back included."""
    once = environment.rollout_deadline + DRAIN + environment.verify_deadline
    hooks = 2 * environment.hook_deadline
    proof = once + SMOKE + environment.prove if environment.prove else 0.0
    canary = len(environment.canary_steps) * (environment.rollout_deadline + environment.bake)
    trial = once + SMOKE + environment.bake
    return math.ceil((SETUP + environment.lease_wait + hooks + proof + canary + trial + once) / 60)


def ending(environment: Environment) -> int:
    """Return the minutes that the end of a review environment in ENVIRONMENT's cluster may take, with its release."""
    return math.ceil((SETUP + environment.lease_wait + END) / 60)


def build(settings: Settings) -> int:
    """Return the minutes that the build of the image may take."""
    return math.ceil((SETUP + settings.application.build_deadline) / 60)


def gate(deadline: float) -> int:
    """Return the minutes that a gate may take whose own command has DEADLINE seconds, 0 for our checks."""
    return max(20, math.ceil((SETUP + deadline) / 60))
