"""One environment with everything that acts on it. The only place that asks where an environment runs."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from longshore import aws
from longshore.claim import claim
from longshore.commands import docker
from longshore.commands.kubectl import Cluster
from longshore.errors import Precondition
from longshore.files import Memory
from longshore.graph.steps import Progress, Result, Values
from longshore.image import procfile
from longshore.image.base import Base, pinned
from longshore.image.build import BuiltImage, Image, Place
from longshore.image.logins import Logins
from longshore.infra.infra import Infra
from longshore.infra.outputs import Applied, Outputs
from longshore.kubernetes import kubeconfig
from longshore.process.command import Command
from longshore.process.runner import Runner
from longshore.rollout import secrets, settled, workloads
from longshore.rollout.manifest import Manifest
from longshore.rollout.promotion import Promotion
from longshore.rollout.render import render
from longshore.rollout.secrets import Secrets
from longshore.rollout.shape import Target
from longshore.rollout.site import Site
from longshore.rollout.workloads import Workloads
from longshore.settings.model import Settings
from longshore.snapshot.remote import Remote
from longshore.snapshot.snapshot import Snapshot
from longshore.tasks import beforehand, edited

if TYPE_CHECKING:
    from longshore.tasks.local_cloud import LocalCloud


class World:
    """The environment called NAME as the tasks see it. SOURCES returns the snapshot that the run acts on.

    `probe` is the rate of requests per second during a rollout, `allow_older` permits a commit without what runs.
    With a `promotion` the image is not built, but copied from another environment.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        runner: Runner,
        sources: Callable[[], Snapshot],
        *,
        probe: float = 0,
        allow_older: bool = False,
        promotion: Promotion | None = None,
    ) -> None:
        self.settings, self.runner, self.sources = settings, runner, sources
        self.environment = settings.environment(name)
        self._probe, self._allow_older, self.promotion = probe, allow_older, promotion
        aws.require_role(self.environment, settings.job)

    @property
    def snapshot(self) -> Snapshot:
        """The sources of the run."""
        return self.sources()

    @cached_property
    def local(self) -> LocalCloud | None:
        """The environment on this machine, or None where it is in AWS."""
        if self.environment.local is None:
            return None
        try:
            from longshore.tasks.local_cloud import LocalCloud
        except ModuleNotFoundError as problem:
            raise Precondition(
                f"{problem.name} is not installed, which environments on this machine need",
                hint="`pip install 'longshore[local]'`",
            ) from None
        return LocalCloud.of(self.settings, self.environment, self.runner)

    @cached_property
    def infra(self) -> Infra:
        """The environment's infrastructure."""
        return Infra(self.settings, self.environment, self.runner, self.sources)

    @cached_property
    def image(self) -> Image:
        """The application's image."""
        settings, environment, local = self.settings, self.environment, self.local
        logins = Logins(settings=settings, environment=environment, runner=self.runner)
        base = Base(settings.application.base_image, Memory(self.infra.folder), logins.of)
        return Image(
            settings=settings,
            environment=environment,
            runner=self.runner,
            sources=self.sources,
            builder=self._build,
            base=(lambda: local.base_image) if local else base,
            logins=logins,
        )

    def place(self, outputs: Outputs) -> Place:
        """Return where the image has to be, and for which processor: a local node's is that of this machine."""
        platform = "" if self.local else f"linux/{outputs.node_architecture}"
        return Place(repository=outputs.repository_url, platform=platform)

    @cached_property
    def secrets(self) -> Secrets:
        """What Secrets Manager holds for the service now."""
        mounted = secrets.read(self.environment)
        self.runner.redactor.add(*mounted.known)
        return mounted

    @property
    def ignored(self) -> str:
        """What of the shell's credentials is left out, as a sentence; empty where all count, or none does."""
        return "" if self.environment.local else self.settings.credentials.ignored

    @property
    def kubectl(self) -> str:
        """The kubectl to use: the cluster's own where Longshore built it."""
        return str(self.local.layout.kubectl) if self.local else "kubectl"

    @property
    def authority(self) -> Path | None:
        """The CA that signed the public address, where the system does not know it."""
        return self.local.layout.edge_ca if self.local else None

    def guard(self, *, commit: Literal["of the branch", "pushed", "any", "none"] = "of the branch") -> None:
        """Raise Precondition for another account and, where the environment is protected, for any but COMMIT."""
        name, revision, remote = self.environment.name, self.snapshot.commit, self._remote
        edited.refuse(self.settings, self.environment, self.runner, revision)
        if not self.environment.local and commit != "none":  # the way back waits for nobody
            edited.refuse_unpushed(self.settings, self.environment, remote)
        if self.environment.protected and commit not in ("any", "none"):
            has = remote.has if commit == "pushed" else remote.branch_has
            if not has(revision):
                where = "pushed" if commit == "pushed" else f"on the branch {remote.branch} of {remote.name}"
                raise Precondition(
                    f"{name} is protected and the commit {revision[:12]} is not {where}",
                    hint="push it; nothing was changed",
                )
        if not (self.local and self.local.existing):
            aws.guard_account(self.environment)

    @cached_property
    def _remote(self) -> Remote:
        environment, work = self.environment, self.settings.work
        return Remote(
            folder=self.settings.root,
            state=work / "snapshot",
            runner=self.runner,
            name=environment.remote,
            branch=environment.branch,
        )

    @contextlib.contextmanager
    def claim(self, command: str) -> Iterator[None]:
        """Hold the environment while COMMAND changes it; raises LockHeld where another command does.

        If COMMAND is the first to start it here, and fails before it serves, it is stopped again.
        """
        begun = self.local.first_start() if self.local else contextlib.nullcontext()
        with claim(self.infra.folder, self.environment.name, command), begun:
            yield

    @property
    def stopped(self) -> bool:
        """Whether the environment is on this machine and not running: its addresses are not here then."""
        return bool(self.local and not self.local.running)

    def outputs(self) -> Outputs:
        """Return the outputs of the last apply. Raises Precondition as `cluster` does, before anything is asked."""
        self.require_running()
        return self.infra.outputs()

    def require_running(self) -> None:
        """Raise Precondition if the environment is on this machine and not running."""
        if self.stopped:
            name = self.environment.name
            raise Precondition(f"the environment {name} is not running", hint=f"`invoke local.up -e {name}` starts it")

    def cluster(self, outputs: Outputs) -> Cluster:
        """Return how the environment's cluster is reached. Raises Precondition if it is here and not running."""
        self.require_running()
        if self.local and (other := self.local.existing):
            namespace = self.environment.namespace
            return Cluster(
                kubectl=self.kubectl, kubeconfig=other.kubeconfig, context=other.context, namespace=namespace
            )
        endpoint = kubeconfig.Endpoint(
            name=outputs.cluster_name,
            server=outputs.cluster_endpoint,
            authority=outputs.cluster_certificate_authority_data,
        )
        return kubeconfig.eks(self.environment, endpoint, self.infra.folder, self.kubectl)

    def target(self, outputs: Outputs, image: BuiltImage) -> Target:
        """Return what a release of IMAGE is made of. Raises Precondition where Terraform names no hosts yet."""
        if not outputs.host_names:
            name = self.environment.name
            raise Precondition(
                "Terraform's outputs do not say which host names the application answers to (`host_names`)",
                hint=f"`invoke infra.plan -e {name}`, review it, then `invoke infra.apply -e {name}`",
            )
        return Target(
            repository=image.repository,
            digest=image.digest,
            revision=self.snapshot.revision,
            namespace=self.environment.namespace,
            node_port=outputs.node_port,
            overlay=self.environment.overlay,
            contract=self.settings.application.keeps,
            writable=tuple(self.settings.application.writable),
            workloads=self.workloads[0],
            hosts=outputs.host_names,
            secret=self.secrets.name,
            files=tuple(name for name, _ in self.secrets.values),
        )

    @cached_property
    def workloads(self) -> tuple[Workloads, str]:
        """What runs beside the web service; and which of it the Procfile names, in words. Raises BadInput."""
        return workloads.wanted(self.settings.workloads_in(self.environment), procfile.processes(self.snapshot))

    def manifest(self, target: Target) -> Manifest:
        """Return the manifest of TARGET."""
        k8s = self.snapshot.fingerprint(("k8s",))
        return render(self.snapshot.checkout, k8s, self.infra.folder, self.kubectl, target, self.runner)

    def site(self, outputs: Outputs) -> Site:
        """Return where a release goes, and on whose behalf."""
        return Site(
            cluster=self.cluster(outputs),
            environment=self.environment,
            runner=self.runner,
            url=outputs.url,
            authority=self.authority,
            actor=self.settings.job.actor,
            checkout=self._checkout,
            job=self.settings.job.url,
            eks=self.eks(outputs),
            work=self.settings.work,
            sources=self.snapshot.workspace,
            commit=self.snapshot.commit,
            allow_older=self._allow_older,
            probe=self._probe,
            promoted=self.promotion.verified.named if self.promotion else "",
        )

    def eks(self, outputs: Outputs) -> str:
        """Return the cluster's name in EKS, or an empty text for a context that the settings name."""
        return "" if self.local and self.local.existing else outputs.cluster_name

    def release(self, progress: Progress, values: Values) -> Result:
        """Roll out what the steps `infra` and `image` gave."""
        from longshore.rollout import release

        outputs, image = values.get("infra", Applied).outputs, values.get("image", BuiltImage)
        target = self.target(outputs, image)
        released = release.run(self.site(outputs), self.manifest(target), target, self.secrets, progress)
        return Result(note="; ".join(filter(None, (released.note, self.workloads[1]))), value=released)

    def released(self, values: Values) -> Result | None:
        """Return a result when the cluster runs this revision already, is well, and the public address serves it."""
        if self.stopped:
            return None
        outputs, image = values.get("infra", Applied).outputs, values.get("image", BuiltImage)
        target = self.target(outputs, image)
        reason = settled.settled(self.site(outputs), self.manifest(target), target)
        return Result(note=reason) if reason else None

    @cached_property
    def _checkout(self) -> str:
        """What tells this checkout from any other, made once. It is not kept in the checkout: a copy is another one."""
        root = self.settings.root.stat()
        memory = Memory(self.settings.host.state / "longshore" / "checkouts")
        record = f"{root.st_dev:x}-{root.st_ino:x}-{self.environment.name}"
        if not (checkout := memory.get(record).get("id")):
            memory.put(record, id=(checkout := uuid.uuid4().hex))
        return str(checkout)

    def _build(self, *, base: str, **options: Any) -> Command:
        beforehand.do(self._prepare)  # while the builder is waited for
        describe = self.local.build_command if self.local else partial(docker.build, contexts=pinned(base))
        return describe(deadline=self.settings.application.build_deadline, **options)

    def _prepare(self) -> None:
        """Make what a release will need; what is wrong with it, the release says."""
        import_module("longshore.rollout.release")
        for service in ("sts", "eks"):
            aws.client(self.environment, service)
