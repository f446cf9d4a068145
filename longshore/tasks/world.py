"""One environment with everything that acts on it, put together from its settings. The only place that asks where an environment runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # each is imported where it is used: `invoke --list` has a budget
    from contextlib import AbstractContextManager

    from longshore.command import Command, Secret
    from longshore.commands.kubectl import Cluster
    from longshore.local.place import Place
    from longshore.rollout.release import Releaser
    from longshore.rollout.render import Manifest, Target
    from longshore.rollout.secrets import Secrets
    from longshore.runner import Runner
    from longshore.settings import Environment, Settings
    from longshore.steps.image import Image
    from longshore.steps.infra import Infra
    from longshore.steps.source import Source


class World:
    """The environment called NAME as the tasks see it."""

    def __init__(
        self, settings: Settings, name: str, runner: Runner, *, probe: float = 0, allow_older: bool = False
    ) -> None:
        self.settings = settings
        self._probe, self._allow_older = probe, allow_older
        self.runner = runner
        self.environment: Environment = settings.environment(name)

    @cached_property
    def infra(self) -> Infra:
        """The environment's infrastructure."""
        from longshore.steps.infra import Infra

        return Infra(self.settings, self.environment, self.runner)

    def claim(self, doing: str) -> AbstractContextManager[None]:
        """Hold the environment while a command changes it; raises LockHeld where another one does."""
        from longshore.steps.claim import claim

        return claim(self.infra.folder, self.environment.name, doing)

    @cached_property
    def place(self) -> Place | None:
        """Where the environment lives on this machine, or None where it lives in AWS."""
        if self.environment.local is None:
            return None
        from longshore.local.place import Place

        return Place.of(self.settings, self.environment)

    @cached_property
    def source(self) -> Source:
        """The revision of the working tree."""
        from longshore.steps import source

        return source.read(self.settings, self.runner)

    @property
    def kubectl(self) -> str:
        """The kubectl to use: the cluster's own where we built it."""
        return str(self.place.kubectl) if self.place else "kubectl"

    @property
    def authority(self) -> Path | None:
        """The CA that signed the public address, where the system does not know it."""
        return self.place.edge_ca if self.place else None

    @cached_property
    def image(self) -> Image:
        """The application's image."""
        from longshore.steps.image import Image

        base = self.settings.application.base_image
        if self.place:
            from longshore.local import base_image

            base = base_image.fingerprint(self.settings)
        return Image(
            settings=self.settings,
            environment=self.environment,
            runner=self.runner,
            builder=self._build,
            base=base,
        )

    def manifest(self) -> Manifest:
        """The manifest of this revision."""
        from longshore.rollout.render import render

        return render(self.settings.root, self.infra.folder, self.kubectl, self.target(), self.runner)

    def target(self) -> Target:
        """What a release of this revision is made of."""
        from longshore.rollout.render import Target

        outputs = self.infra.outputs()
        return Target(
            repository=str(outputs["repository_url"]), digest=self.image.digest(), revision=self.source.revision,
            namespace=self.environment.namespace, node_port=int(outputs["node_port"]), overlay=self.environment.overlay,
            secret=self.secrets.name, files=tuple(name for name, _ in self.secrets.values),
        )  # fmt: skip

    @cached_property
    def secrets(self) -> Secrets:
        """What Secrets Manager holds for the service now."""
        from longshore.rollout import secrets

        return secrets.read(self.environment)

    @cached_property
    def checkout(self) -> str:
        """What tells this checkout from any other: made once, kept beside the environment's records."""
        import uuid

        if not (kept := self.infra.memory.get("checkout").get("id")):
            self.infra.memory.put("checkout", id=(kept := uuid.uuid4().hex))
        return str(kept)

    def cluster(self) -> Cluster:
        """How kubectl reaches the environment's cluster."""
        from longshore.rollout import access

        return access.cluster(self.settings, self.environment, self.infra.outputs(), self.kubectl)

    def releaser(self) -> Releaser:
        """What rolls a manifest out."""
        from longshore.rollout import guard
        from longshore.rollout.release import Releaser

        outputs = self.infra.outputs()
        return Releaser(
            cluster=self.cluster(), environment=self.environment,
            runner=self.runner, url=str(outputs["url"]), authority=self.authority, actor=self._actor(),
            checkout=self.checkout, job=self.settings.environ.get("CI_JOB_URL", ""), eks=str(outputs["cluster_name"]),
            source=guard.Source(commit=self.source.commit, dirty=self.source.dirty, allow_older=self._allow_older),
            root=self.settings.root, work=self.settings.work, probe=self._probe,
        )  # fmt: skip

    def release_settled(self) -> str | None:
        """Return a reason when the cluster runs this revision already, is well, and the public address answers with it."""
        if not self.image.digest() or not self.infra.memory.get("outputs"):
            return None
        from longshore.rollout import settled, verify

        def check() -> object:
            return verify.until_answers(
                str(self.infra.outputs()["url"]), self.authority, digest=self.image.digest(), revision=self.source.revision,
                deadline=settled.PATIENCE, pause=self.runner.cancellation.wait, say=lambda _: None,
            )  # fmt: skip

        return settled.settled(self.cluster(), self.runner, self.manifest(), check)

    def _prepare(self) -> None:
        """Read what a release will need; what is wrong with it, the release says."""
        from contextlib import suppress

        from longshore.rollout import release, settled  # noqa: F401
        from longshore.steps import aws

        for service in ("sts", "eks"):
            with suppress(Exception):
                aws.client(self.environment, service)

    def _build(self, *, name: str, metadata: Path, env: Mapping[str, str | Secret]) -> Command:
        threading.Thread(target=self._prepare, daemon=True).start()  # while the builder is waited for
        app, root = self.settings.application, self.settings.root
        if self.place is None:
            from longshore.commands import docker

            return docker.build(
                root, app.dockerfile, name=name, metadata=metadata, env=env, deadline=app.build_deadline
            )
        from longshore.commands import buildctl
        from longshore.local import base_image, buildkit

        pip = base_image.pip_conf(self.settings)
        return buildctl.build(
            str(buildkit.buildctl(self.settings)), f"unix://{self.place.buildkit_socket}", root, app.dockerfile,
            name=name, metadata=metadata,
            contexts=base_image.contexts(self.settings, self.place), secrets={"pip_conf": pip} if pip else {},
            env=env, deadline=app.build_deadline,
        )  # fmt: skip

    def _actor(self) -> str:
        import getpass

        environ: Mapping[str, Any] = self.settings.environ
        return str(environ.get("GITLAB_USER_LOGIN") or getpass.getuser())
