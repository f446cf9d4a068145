"""The tables `[environments.NAME]` and `[environments.NAME.local]`, as a person writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from longshore.settings.rollout import Budgets, Patience
from longshore.settings.values import Account, Deadline, FreePort, Namespace, Region, Resolver, Seconds, SecretName
from longshore.settings.workloads import WorkloadSize


class LocalTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[environments.NAME.local]`: what Longshore runs on this machine. `context` names a cluster to use instead."""

    aws_port: FreePort = 4566
    nodes: Annotated[int, Meta(ge=1, le=2, description="1 or 2")] = 1
    context: str = ""
    kubeconfig: str = ""
    registry: str = ""
    node_address: str = ""


class EnvironmentTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[environments.NAME]`: a place we deploy to. Times are in seconds.

    `variables` are Terraform variables on top of the environment's .tfvars file. `approve = "auto"` lets `deploy`
    apply a plan that nobody has reviewed; else it takes what is applied. A protected environment gets commits of
    `branch` alone, which `remote` (a name that git knows, or a URL) has to confirm. `cluster` is the SHA-256
    fingerprint of its CA certificate. A release waits up to `lease_wait` for another one to end. One pod of it has to
    live for `prove` before it is rolled out; a `canary` of it, a share of the replicas or a list of growing ones, has
    to do no worse than the old pods, for `bake` a step; and it is watched for `bake` after it was verified. `secrets`
    are files for the service by name, each an id in AWS Secrets Manager, or `id#key`. `workloads` have sizes of their
    own here. `resolvers` are DNS servers that are asked for the delegation of the zone.
    """

    region: Region = "eu-central-1"
    account: Account = ""
    namespace: Namespace = ""
    overlay: str = ""
    variables_file: str = ""
    variables: dict[str, str | int | float | bool | list[str]] = {}
    protected: bool = False
    branch: str = "main"
    remote: str = "origin"
    approve: Literal["auto", "manual"] = "manual"
    cluster: str = ""
    rollout_deadline: Deadline = 300.0
    hook_deadline: Deadline = 600.0
    lease_wait: Seconds = 600.0
    secrets: dict[SecretName, str] = {}
    workloads: dict[str, WorkloadSize] = {}
    resolvers: list[Resolver] = []
    verify_deadline: Deadline = 60.0
    prove: Seconds = 0.0
    canary: str | list[str] = "off"
    bake: Seconds = 60.0
    patience: Patience = Patience()
    budgets: Budgets = Budgets()
    keep_releases: Annotated[int, Meta(ge=2, le=1000, description="2 to 1000")] = 20
    local: LocalTable | None = None
