"""A slot for a review environment as the tasks see it: an environment like any other, in the cluster of another."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from msgspec.structs import replace

from longshore.errors import Precondition
from longshore.image.build import BuiltImage
from longshore.infra.infra import Infra
from longshore.infra.outputs import Applied, Outputs, Slot
from longshore.process.runner import Runner
from longshore.rollout import slots
from longshore.rollout.shape import Target
from longshore.rollout.site import Site
from longshore.settings.model import Settings
from longshore.settings.pipeline import Review
from longshore.settings.workloads import DRAIN
from longshore.snapshot.snapshot import Snapshot
from longshore.tasks.world import World


class SlotInfra(Infra, frozen=True, dict=True):
    """The infrastructure of the environment that the slot belongs to, as a release to `slot` sees it."""

    slot: Slot

    def read(self) -> Applied:
        applied = Infra.read(self)
        return replace(applied, outputs=applied.outputs.within(self.slot))

    def outputs(self) -> Outputs:
        return Infra.outputs(self).within(self.slot)


class SlotWorld(World):
    """SLOT of the environment that REVIEW names. HELD says whether it still is whose it was."""

    def __init__(
        self,
        settings: Settings,
        runner: Runner,
        sources: Callable[[], Snapshot],
        review: Review,
        slot: Slot,
        held: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(settings, review.environment, runner, sources)
        self._slot, self._base, self._held = slot, self.environment, held
        self.environment = slots.environment(self._base, review, slot)

    @cached_property
    def infra(self) -> Infra:
        return SlotInfra(self.settings, self._base, self.runner, self.sources, self._slot)

    def target(self, outputs: Outputs, image: BuiltImage) -> Target:
        """Do as any environment. A worker has no more than a minute to end: the end of the slot waits for its pods."""
        target = World.target(self, outputs, image)
        workloads = (
            (name, replace(table, drain=table.drain and min(table.drain, DRAIN))) for name, table in target.workloads
        )
        return replace(target, workloads=tuple(workloads))

    def site(self, outputs: Outputs) -> Site:
        """Do as any environment. A release there is refused once somebody ended what is in the slot."""
        return replace(World.site(self, outputs), still=self._still)

    def _still(self) -> None:
        if not self._held():
            hint = "it was ended meanwhile; the same command deploys it anew"
            raise Precondition(f"{self._slot.host_name} is not this branch's any more; nothing was released", hint=hint)
