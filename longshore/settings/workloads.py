"""The tables `[workloads.NAME]`: what runs of the image beside, or as, the web service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import asdict, replace

from longshore.settings import cron
from longshore.settings.values import Seconds, Word

WorkloadName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z]([a-z0-9-]{0,18}[a-z0-9])?\Z",
        description="a name of 1 to 20 lower-case letters, digits and dashes, from a letter to a letter or digit",
    ),
]
Replicas = Annotated[int, Meta(ge=0, le=1000, description="a number of pods from 0 to 1000")]
Bound = Annotated[int, Meta(ge=1, le=1000, description="a number of pods from 1 to 1000")]
Cpu = Annotated[str, Meta(pattern=r"^(\d+m?|\d+\.\d+)?\Z", description='cores as text, such as "250m" or "2"')]
Memory = Annotated[str, Meta(pattern=r"^(\d+[KMGT]i)?\Z", description='memory as text, such as "256Mi" or "1Gi"')]
Schedule = Annotated[
    str,
    Meta(
        pattern=r"^([\d*/,A-Za-z?-]+( [\d*/,A-Za-z?-]+){4}|@(yearly|monthly|weekly|daily|hourly))?\Z",
        description='five fields of cron, such as "17 3 * * *", or "@hourly", "@daily" and so on (UTC)',
    ),
]
# What a key says is said of these kinds alone.
KINDS = {
    "replicas": ("web", "worker"),
    "min": ("web", "worker"),
    "max": ("web", "worker"),
    "drain": ("worker",),
    "schedule": ("cron",),
    "deadline": ("cron",),
    "when": ("job",),
}
DRAIN = 60.0  # seconds for a worker that says nothing
Deadline = Annotated[float, Meta(ge=1, le=604800, description="1 to 604800 seconds")]
DAY = 86400.0  # seconds for a cron job that says nothing: while a run that hangs is there, no other one starts


class WorkloadSize(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[environments.NAME.workloads.NAME]`: what an environment has in place of what `[workloads.NAME]` says."""

    replicas: Replicas | None = None
    min: Bound | None = None
    max: Bound | None = None
    cpu: Cpu = ""
    memory: Memory = ""
    schedule: Schedule = ""


class WorkloadTable(WorkloadSize, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[workloads.NAME]`: a `command` of the image in pods of its own, or, of kind `web`, the web service itself.

    `command` takes the place of the image's ENTRYPOINT and CMD; the Procfile's process of this name has it where it is
    empty. There are `replicas` pods (1), or from `min` to `max` by load. `cpu` and `memory` replace what the web
    service asks for. A worker gets `drain` seconds from SIGTERM to its end, a run of a cron job `deadline` (DAY). A job
    runs in each release, `when` it says: `before` the rollout or `after`.
    """

    kind: Literal["web", "worker", "cron", "job"]
    command: list[Word] = []
    when: Literal["", "before", "after"] = ""
    drain: Seconds | None = None
    deadline: Deadline | None = None


def sized(tables: Mapping[str, WorkloadTable], sizes: Mapping[str, WorkloadSize]) -> dict[str, WorkloadTable]:
    """Return TABLES with what SIZES, an environment's own, say. A number of pods replaces a range, and back."""
    return {name: _sized(table, sizes[name]) if name in sizes else table for name, table in tables.items()}


def _sized(table: WorkloadTable, size: WorkloadSize) -> WorkloadTable:
    said = {key: value for key, value in asdict(size).items() if value not in (None, "")}
    if "replicas" in said:
        table = replace(table, min=None, max=None)
    elif "min" in said or "max" in said:
        table = replace(table, replicas=None)
    return replace(table, **said)


def mistake(tables: Mapping[str, WorkloadTable]) -> tuple[tuple[str, str], str, str] | None:
    """Return what does not go together in TABLES: name and key, what is wrong there, and what to do; None if all do."""
    for name, table in tables.items():
        for key, problem, hint in _of(table):
            return (name, key), problem, hint
    webs = [name for name, table in tables.items() if table.kind == "web"]
    if webs[1:]:
        hint = 'the load balancer leads to one Deployment, so one table is of kind "web"'
        return (webs[1], "kind"), f'is "web", and so is that of {webs[0]}', hint
    return None


def _of(table: WorkloadTable) -> Iterator[tuple[str, str, str]]:
    kind, said = table.kind, asdict(table)
    for key, kinds in KINDS.items():
        if said[key] not in (None, "") and kind not in kinds:
            yield key, f'is nothing that the kind "{kind}" has', f"{' and '.join(kinds)} have it"
    if kind == "cron" and not table.schedule:
        yield "kind", 'is "cron", and nothing says when it runs', '`schedule = "17 3 * * *"` does (UTC)'
    if table.schedule and (wrong := cron.mistake(table.schedule)):
        yield "schedule", *wrong
    if table.replicas is not None and (table.min or table.max):
        yield "replicas", "stands beside `min` or `max`", "a fixed number, or a range for the autoscaler"
    if (table.min is None) != (table.max is None):
        yield "min" if table.min else "max", "stands alone", "the autoscaler needs `min` and `max`"
    if table.min and table.max and table.min > table.max:
        yield "min", f"is {table.min}, more than `max`, which is {table.max}", "`min` may be as much as `max`"
    if kind == "web" and table.replicas == 0:
        yield "replicas", "is 0, and then nothing serves", "1 or more"
