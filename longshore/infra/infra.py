"""The infrastructure of one environment: plan, apply exactly that plan, remember the outputs."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from longshore import aws
from longshore.errors import BadInput, Precondition
from longshore.files import Memory, write_atomically
from longshore.graph.steps import Progress
from longshore.infra import cost, node_image, providers, record, summary, zone
from longshore.infra.cost import Estimate
from longshore.infra.outputs import Applied, Outputs
from longshore.infra.saved_plan import Facts, SavedPlan
from longshore.infra.state_bucket import StateBucket
from longshore.infra.summary import Change
from longshore.infra.terraform import Terraform, derived
from longshore.process.runner import Runner
from longshore.settings.model import Environment, Settings
from longshore.snapshot.snapshot import Snapshot

SOURCES, LOCK_FILE = "terraform/*.tf", "terraform/.terraform.lock.hcl"
READS = (SOURCES, LOCK_FILE)  # with the environment's variables file
UP_TO_DATE = "sources and variables are unchanged since the last apply"


class Review(Struct, frozen=True, kw_only=True):
    """What a saved plan says: its changes, most severe first, and what it warns of."""

    changes: list[Change]
    warnings: list[str]

    @property
    def usd(self) -> float:
        """How much more the environment costs a month once the plan is applied, as far as that is known."""
        return sum(change.usd for change in self.changes)


class Infra(Struct, frozen=True, dict=True):
    """What Terraform manages for one environment, as the snapshot that `sources` returns describes it."""

    settings: Settings
    environment: Environment
    runner: Runner
    sources: Callable[[], Snapshot]

    @property
    def snapshot(self) -> Snapshot:
        return self.sources()

    @property
    def folder(self) -> Path:
        """Where plan, records and Terraform's own data are; disposable."""
        return self.settings.work / "environments" / self.environment.name

    @property
    def memory(self) -> Memory:
        return Memory(self.folder)

    @cached_property
    def bucket(self) -> StateBucket:
        return StateBucket(self.environment, self.settings.project.name)

    @cached_property
    def terraform(self) -> Terraform:
        return Terraform(self.settings, self.environment, self.runner, self.snapshot, self.bucket, self.folder)

    @cached_property
    def saved_plan(self) -> SavedPlan:
        key = self.settings.host.plan_key
        return SavedPlan(self.folder / "plan.tfplan", self.memory, key.reveal() if key else "")

    def fingerprint(self) -> str:
        """Return the hash of everything that decides what Terraform would do, as far as this machine knows."""
        env = self.environment
        return self.snapshot.fingerprint(
            (*READS, env.variables_file), env.name, env.account, env.region, env.variables, derived(self.settings, env)
        )

    def remembered(self) -> Applied | None:
        """Return what was last applied from here if sources and variables are unchanged, else None. Starts nothing."""
        last = record.last(self.memory)
        if last is None or last.fingerprint != self.fingerprint():
            return None
        return msgspec.structs.replace(last, note=UP_TO_DATE)

    def outputs(self) -> Outputs:
        """Return the last apply's outputs; reads the state only without a record. Raises Precondition, StateUnknown."""
        last = record.last(self.memory) or record.remember(self.memory, "", self._whole())
        return last.outputs

    def values(self) -> dict[str, Any]:
        """Return all outputs that are not sensitive, by name, whether or not they are those that Longshore needs."""
        last = record.last(self.memory)
        return last.outputs.values if last else self._ask()

    def bring_up(self, progress: Progress) -> Applied:
        """Plan and apply the sources, without a review."""
        self.bucket.ensure()
        applied = None
        while not applied:  # again after the zone, if that is delegated
            if not (plan := self._plan_in_order(progress)):
                return self._noted(self._whole(), "no changes")
            applied = self._apply_saved(progress, plan)
        return applied

    def read(self) -> Applied:
        """Return what was applied last, whoever did it: nothing is planned, locked or written in AWS.

        What terraform/ says otherwise is noted and no hindrance. Raises Precondition where nothing is applied yet.
        """
        outputs, (fingerprint, commit) = self._whole(), self.bucket.noted()
        if fingerprint == self.fingerprint():
            return record.remember(self.memory, fingerprint, outputs, f"as applied from {commit[:12]}")
        note = (
            f"terraform/ differs from what was applied from {commit[:12]}: `infra.plan` shows how, nothing is applied"
        )
        return record.remember(
            self.memory, "", outputs, note if commit else "outputs read; from which commit they are is not known"
        )

    def review(self, progress: Progress, *, lock: bool = True) -> Review:
        """Save a plan to be applied later; return what it says, and write GitLab's report of it.

        Without LOCK the state is only read; `apply` refuses the plan if it has changed meanwhile. A zone that has to be
        delegated first is planned alone.
        """
        folder = self.settings.work / "report"
        for report in ("terraform.json", "plan.json"):
            (folder / report).unlink(missing_ok=True)
        plan = self._plan_in_order(progress, lock=lock) or self._saved()
        changes = summary.changes(plan, cost.changes(plan, self.environment.region))
        write_atomically(folder / "terraform.json", json.dumps(summary.counts(changes)))
        write_atomically(folder / "plan.json", msgspec.json.encode(changes).decode())
        warnings = summary.warnings(plan, dt.datetime.now(dt.UTC).date())
        warnings += filter(None, [node_image.newer(self.environment, plan)])
        return Review(changes=changes, warnings=warnings)

    def estimate(self, profile: str = "") -> Estimate:
        """Return what the environment costs a month, or would with another PROFILE. Asks neither AWS nor the state."""
        return cost.estimate(self.terraform.mocked({"profile": profile} if profile else {}), self.environment.region)

    def apply(self, progress: Progress, destroys: Iterable[str] = ()) -> Applied:
        """Apply the saved plan, which may destroy the irreplaceable resources with the addresses DESTROYS.

        Raises Precondition for the wrong account, a stale plan, one that destroys more, or where the zone is not
        delegated; StateUnknown half-way.
        """
        aws.guard_account(self.environment)
        self.terraform.init()  # a CI job that applies has the plan but no providers
        if applied := self._apply_saved(progress, None, destroys):
            return applied
        raise Precondition("the zone is made and delegated; all else is still to be planned", hint=self._review)

    def drifted(self, progress: Progress, *, lock: bool = True) -> tuple[list[Change], list[Change]]:
        """Return what was changed outside of Terraform, and what terraform/ would change besides. Saves no plan."""
        self._plan(progress, lock=lock)
        plan = self._saved()
        self.saved_plan.file.unlink()
        return summary.drift(plan)

    def require(self, confirm: str) -> None:
        """Raise BadInput unless CONFIRM is the environment's name, Precondition where the settings protect it."""
        name = self.environment.name
        if confirm != name:
            sentence = f"this destroys the infrastructure of {name} and everything that runs on it"
            raise BadInput(sentence, hint=f"`--confirm {name}` confirms it")
        if self.environment.protected:
            hint = f"if you mean it: set `protected = false` for {name} in longshore.toml, commit it, and destroy"
            raise Precondition(f"{name} is protected, and is not destroyed", hint=hint)

    def destroy(self, progress: Progress, *, confirm: str) -> str:
        """Destroy everything Terraform made here.

        Raises BadInput unless CONFIRM is the environment's name, Precondition where settings or AWS protect any of it.
        """
        self.require(confirm)
        if protected := self.bucket.read().protected:
            file, name = self.environment.variables_file, self.environment.name
            hint = f"if you mean it: set `deletion_protection = false` in {file}, `infra.plan -e {name}`, `infra.apply`"
            raise Precondition(
                f"{', '.join(protected)} of {name} has deletion protection; nothing was changed", hint=hint
            )
        self._plan(progress, destroy=True)
        with self.saved_plan.opened() as plan:
            total = len(summary.changes(self.terraform.show(plan)))
            with self._applied(plan, total, progress):
                pass
        self.memory.forget("image")
        return f"{total} resources destroyed"

    @property
    def _review(self) -> str:
        name = self.environment.name
        return f"`invoke infra.plan -e {name}`, review it, then `invoke infra.apply -e {name}`"

    def _plan_in_order(self, progress: Progress, *, lock: bool = True) -> dict[str, Any]:
        """Save and return a plan of everything, or of the zone alone where that comes first; empty if none changes."""
        if not self._plan(progress, lock=lock):
            return {}
        if not zone.comes_first(plan := self._saved()):
            return plan
        self._plan(progress, lock=lock, targets=zone.TARGETS)
        return self._saved()

    def _plan(self, progress: Progress, **options: Any) -> bool:
        self.terraform.init()
        progress("planning")
        changed = self.terraform.plan(self.saved_plan.file, **options)
        self.saved_plan.bind(self._facts())
        return changed

    def _saved(self) -> dict[str, Any]:
        with self.saved_plan.opened() as plan:
            return self.terraform.show(plan)

    def _facts(self) -> Facts:
        env, snapshot = self.environment, self.snapshot
        lineage, serial = self.bucket.head()
        return Facts(
            environment=env.name,
            account=env.account,
            commit=snapshot.commit,
            sources=snapshot.fingerprint([SOURCES]),
            variables=snapshot.fingerprint(
                [env.variables_file], env.region, env.variables, derived(self.settings, env)
            ),
            providers=snapshot.fingerprint([LOCK_FILE]),
            programs=providers.installed(self.terraform.data / "providers", self.memory),
            overrides=providers.overrides(self.settings.host),
            lineage=lineage,
            serial=serial,
        )

    def _apply_saved(
        self, progress: Progress, shown: dict[str, Any] | None, destroys: Iterable[str] = ()
    ) -> Applied | None:
        """Apply the saved plan, SHOWN if it was. Return None where it was for the zone alone, and that is delegated."""
        self.saved_plan.check(self._facts())
        resolvers, name = self.environment.resolvers, self.environment.name
        with self.saved_plan.opened() as plan:
            shown = shown or self.terraform.show(plan)
            changes = summary.changes(shown)
            summary.approved(changes, destroys)
            if not (first := zone.is_alone(changes)):
                zone.require_delegated(shown, resolvers, name, progress)
            with self._applied(plan, len(changes), progress) as printed:
                values = printed or self._ask()
                if first:
                    zone.require(zone.domain(shown), values["name_servers"], resolvers, name)
                    return None
                return self._noted(Outputs.of(values), f"{len(changes)} resources changed")

    @contextlib.contextmanager
    def _applied(self, plan: Path, total: int, progress: Progress) -> Iterator[dict[str, Any]]:
        """Apply PLAN and yield the outputs. Afterwards the saved plan is gone, whatever became of it."""
        self.memory.forget(record.NAME)  # no longer true once something has changed, however that ends
        try:
            yield self.terraform.apply(plan, total, progress)
        finally:
            self.saved_plan.file.unlink(missing_ok=True)

    def _whole(self) -> Outputs:
        """Return the outputs in the state. Raises Precondition where nothing is applied yet, or the zone alone."""
        values = self._ask()
        if "name_servers" in values and "cluster_name" not in values:
            raise Precondition(f"environment {self.environment.name} has no more than its zone yet", hint=self._review)
        return Outputs.of(values)

    def _ask(self) -> dict[str, Any]:
        """Return the outputs in the state, which whoever may read them reads without Terraform."""
        values = self.bucket.read().outputs
        if not values:
            env = self.environment
            first = f"`invoke infra.bootstrap -e {env.name}` once, `infra.plan`, review it, then `infra.apply`"
            hint = f"`invoke deploy -e {env.name}` makes it" if env.approve == "auto" else first
            raise Precondition(f"environment {env.name} has no infrastructure yet", hint=hint)
        return values

    def _noted(self, outputs: Outputs, note: str) -> Applied:
        """Remember here, and note in the bucket for all others, that the sources are applied."""
        fingerprint = self.fingerprint()
        try:
            self.bucket.note(fingerprint, self.snapshot.commit)
        except Precondition as problem:  # a release then cannot tell whether terraform/ was applied
            note = f"{note}; that could not be noted for others: {problem.sentence}"
        return record.remember(self.memory, fingerprint, outputs, note)
