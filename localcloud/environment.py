"""The local environment as the rest of Longshore sees it: no other module of this package is imported from outside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from msgspec import Struct

from localcloud import base_image, edge, issuer, known, lifecycle, network, packages, readers
from localcloud.build.programs import BUILDKIT
from localcloud.layout import Existing, Layout
from localcloud.packages import Package
from localcloud.parts import Part, parts
from localcloud.progress import Progress
from longshore.commands import buildctl
from longshore.errors import Failure
from longshore.process.command import Command
from longshore.process.runner import Runner
from longshore.settings.model import Environment, Settings


class LocalCloud(Struct, frozen=True, dict=True):
    """The local cloud of one environment."""

    settings: Settings
    layout: Layout
    runner: Runner

    @classmethod
    def of(cls, settings: Settings, environment: Environment, runner: Runner) -> Self:
        """Return ENVIRONMENT; the first call chooses its addresses and records them.

        Raises Precondition if it is not a local environment, or no free network is left.
        """
        layout = Layout.of(settings, environment)
        runner.direct |= {layout.node_ip, layout.host_ip, layout.registry.partition(":")[0]}
        return cls(settings, layout, runner)

    @classmethod
    def by_id(cls, settings: Settings, wanted: str, runner: Runner) -> Self:
        """Return the environment with the id WANTED, to be ended; its checkout may be gone. Raises BadInput."""
        return cls(settings, known.find(settings, wanted), runner)

    @property
    def records(self) -> Path:
        """Where the environment's checkout keeps its records, or the state folder where the checkout is gone."""
        checkout = Path(self.layout.checkout or "/nonexistent")
        kept = checkout / ".longshore" / "environments" / self.layout.environment
        return kept if checkout.is_dir() else self.layout.state

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All parts in an order in which they can start. Raises Precondition without the extra `local`."""
        return parts(self.settings, self.layout, self.runner)

    @property
    def existing(self) -> Existing | None:
        """The cluster that replaces the built-in one, if the settings name one."""
        return self.layout.existing

    @property
    def running(self) -> bool:
        """Whether the node runs and its address is on this machine. Takes milliseconds and sends nothing."""
        node = self.layout.daemon("node")
        return self.existing is not None or (network.reachable(self.layout) and node.alive())

    @property
    def base_image(self) -> str:
        """A fingerprint of the image that builds start from."""
        return base_image.fingerprint(self.settings)

    @property
    def build_command(self) -> Callable[..., Command]:
        """What describes a build: `buildctl.build`, given the daemon, base images and pip settings to use."""
        pip = base_image.pip_conf(self.settings)
        return partial(
            buildctl.build,
            *(str(BUILDKIT.path(self.settings, "buildctl")), f"unix://{self.layout.buildkit_socket}"),
            contexts=base_image.contexts(self.settings, self.layout),
            secrets={"pip_conf": pip} if pip else {},
        )

    def issuing(self, url: str) -> AbstractContextManager[issuer.Signer]:
        """Have the local AWS trust, for the time being, tokens that what this yields signs in the name of URL."""
        return issuer.issuing(self.layout, url)

    def read_by(self, other: LocalCloud, repository: str, role: str) -> AbstractContextManager[None]:
        """Have OTHER's ROLE, an ARN, read the images of REPOSITORY for the time being, if its policy lets it."""
        allowed = readers.lets(self.layout, repository, role)
        return readers.reading(self.layout, other.layout) if allowed else contextlib.nullcontext()

    def status(self) -> dict[str, Any]:
        """Return `environment`, `parts` (name, ready, said, ...), `state`, `disk_bytes` and `cache_bytes`."""
        return lifecycle.status(self.layout)

    def down(self, progress: Progress) -> None:
        """Stop every part; the state stays. Raises StateUnknown if something does not stop."""
        lifecycle.down(self.layout, self.runner, progress)

    def reset(self, progress: Progress) -> None:
        """Stop every part and delete the state. Raises StateUnknown if something does not stop."""
        lifecycle.reset(self.layout, self.runner, progress)

    @contextlib.contextmanager
    def first_start(self) -> Iterator[None]:
        """Stop everything again if the environment's first start fails half-way: nothing of it keeps a port then.

        What has served before, or was running already, stays as it is.
        """
        first = not edge.ports(self.layout) and not any(self.layout.daemon(part).alive() for part in known.PARTS)
        try:
            yield
        except BaseException:
            if first and not self.layout.daemon("edge").alive():
                with contextlib.suppress(Failure):  # what ended the start is what counts
                    # The run's own runner starts nothing any more if it was interrupted.
                    lifecycle.down(self.layout, Runner(self.runner.environ), lambda *_: None)
            raise

    def log_files(self, part: str = "") -> list[Path]:
        """Return the logs of all parts, or of those whose name begins with PART."""
        return sorted(path for path in self.layout.logs.glob(f"{part}*") if path.is_file())


def environments(settings: Settings) -> list[tuple[dict[str, Any], str]]:
    """Return each environment of this machine as data, and as a line for a person."""
    rows = [known.describe(layout) for layout in known.layouts(settings)]
    return [(row, known.text(row)) for row in rows]


def system_packages(settings: Settings) -> tuple[tuple[Package, bool], ...]:
    """Return each system package (name, why) that local environments need, and whether it is installed."""
    missing = packages.missing(settings)
    return tuple((package, package not in missing) for package in packages.NEEDED)
