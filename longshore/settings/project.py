"""The tables `[project]` and `[application]`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from longshore.settings.values import Deadline, Folder, Image, InContainer, Inside, Port, ProjectName, Route, Word

INJECTED = "/.longshore"  # below it, what Longshore adds to an application answers
INJECTED_PATHS = {"health": f"{INJECTED}/livez", "readiness": f"{INJECTED}/readyz", "version": f"{INJECTED}/version"}


class Project(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[project]`: `name` is the prefix of everything that Longshore creates in AWS."""

    name: ProjectName


class Contract(Struct, frozen=True, kw_only=True):
    """How the application is asked, whoever answers: Kubernetes, the load balancer and a release go by it.

    `health`, `readiness` and `version` are paths, all empty where nothing but the `port` says anything. `check` are
    paths that must answer below 500 before a release counts as verified. `expands` says that the files of secrets are
    variables as well.
    """

    port: int
    health: str = ""
    readiness: str = ""
    version: str = ""
    check: tuple[str, ...] = ()
    expands: bool = False

    @property
    def injected(self) -> bool:
        return self.version.startswith(f"{INJECTED}/")

    @property
    def asked(self) -> str:
        """The path by which a load balancer tells a target that is well."""
        return self.readiness or next(iter(self.check), "/")


class Application(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[application]`: what is built and served, relative to the project's root. `build_deadline` is in seconds.

    `contract` says who answers probes and names the release: a module that Longshore adds to the image (`injected`),
    the application itself at the paths `health`, `readiness` and `version` (`own`), or nobody (`none`). `writable` are
    folders in the container that may be written to, beside /tmp and HOME. `expand_files` has the module
    put the files of secrets into environment variables as well. `command` is what serves where the Dockerfile is made.
    """

    path: Folder = "application"
    port: Port = 5000
    dockerfile: Inside = "Dockerfile"
    requirements: Inside = "requirements/application.txt"
    base_image: Image = "python:3.11-slim-bookworm"
    build_deadline: Deadline = 600.0
    contract: Literal["injected", "own", "none"] = "injected"
    health: Route = "/livez"
    readiness: Route = "/readyz"
    version: Route = "/version"
    check: list[Route] = []
    writable: list[InContainer] = []
    expand_files: bool = False
    command: list[Word] = []

    @property
    def keeps(self) -> Contract:
        """The contract, with all that follows from its kind."""
        bare = Contract(port=self.port, check=tuple(self.check))
        if self.contract == "own":
            return replace(bare, health=self.health, readiness=self.readiness, version=self.version)
        injected = replace(bare, **INJECTED_PATHS, expands=self.expand_files)
        return injected if self.contract == "injected" else bare
