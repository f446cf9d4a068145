"""Logins of registries, each `user:password` in base64."""

from __future__ import annotations

import base64
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from longshore import aws
from longshore.image import docker_config
from longshore.image.registry import HUB, HUB_LOGIN
from longshore.process.command import Secret
from longshore.process.runner import Runner
from longshore.settings.model import Environment, Settings


class Logins(Struct, frozen=True, kw_only=True, dict=True):
    """The logins that one environment's image needs."""

    settings: Settings
    environment: Environment
    runner: Runner

    @cached_property
    def ecr(self) -> str:
        """The login of ECR, which is good for hours. Raises Precondition where AWS gives none."""
        with aws.errors("the registry's login"):
            data = aws.client(self.environment, "ecr").get_authorization_token()["authorizationData"][0]
        token = str(data["authorizationToken"])
        password = base64.b64decode(token, validate=True).decode().partition(":")[2]
        self.runner.redactor.add(Secret(token), Secret(password))
        return token

    @property
    def hub(self) -> str:
        """The login of Docker Hub, which limits pulls by user, as the variables of the shell have it, or nothing."""
        user = self.settings.host.docker_hub
        return base64.b64encode(user.reveal().encode()).decode() if user else ""

    def of(self, host: str) -> str:
        """Return the login of the registry HOST, or nothing. Raises Precondition as `ecr` does."""
        if ".dkr.ecr." in host:
            return self.ecr
        if host == HUB and self.hub:
            return self.hub
        return docker_config.login(self.settings.host.docker_config, host)

    def configure(self, folder: Path, repository: str) -> None:
        """Make FOLDER the Docker configuration that pushes to REPOSITORY, beside what the user's own can."""
        logins = {repository.partition("/")[0]: self.ecr}
        if self.hub:
            logins[HUB_LOGIN] = self.hub
        folder.mkdir(mode=0o700)
        docker_config.write(folder, self.settings.host.docker_config, logins)
