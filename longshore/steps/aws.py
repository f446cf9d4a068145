"""The AWS clients of an environment, and what their errors mean to a person."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from longshore.command import Secret
from longshore.errors import Precondition
from longshore.settings import Environment


@functools.cache
def _models() -> Any:
    """Return what reads botocore's descriptions of services, each once for all clients."""
    from botocore.loaders import Loader

    return Loader()


def client(environment: Environment, service: str) -> Any:
    """Return a boto3 client for SERVICE with the environment's own credentials and endpoint."""
    import boto3
    import botocore.session
    from botocore.config import Config

    values = {
        key: value.reveal() if isinstance(value, Secret) else str(value)
        for key, value in environment.aws_env.items()
    }
    core = botocore.session.Session()
    core.register_component("data_loader", _models())
    core.set_config_variable("region", environment.region)
    if path := values.get("AWS_SHARED_CREDENTIALS_FILE"):
        core.set_config_variable("credentials_file", path)
        core.set_config_variable("profile", "default")
        core.get_component("credential_provider").remove("env")
    elif values.get("AWS_ACCESS_KEY_ID"):
        core.set_credentials(values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"])
    retries = Config(retries={"max_attempts": 3, "mode": "standard"}, connect_timeout=5, read_timeout=30)
    session = boto3.Session(botocore_session=core)
    return session.client(service, endpoint_url=environment.endpoint_url or None, config=retries)


@contextlib.contextmanager
def errors(what: str) -> Iterator[None]:
    """Turn botocore's exceptions into Precondition: WHAT could not be had, and why."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as problem:  # the last for an address that is none
        raise Precondition(
            f"{what} cannot be reached: {problem}",
            hint="check the credentials (`invoke doctor` says what it finds) and any address in an AWS_* variable",
        ) from None


def guard_account(environment: Environment) -> None:
    """Raise Precondition unless the credentials belong to the account that the settings name."""
    with errors("AWS"):
        account = client(environment, "sts").get_caller_identity()["Account"]
    if account != environment.account:
        raise Precondition(
            f"the credentials belong to account {account}, but {environment.name} is {environment.account}",
            hint="nothing was changed; use that account's credentials or correct `account` in longshore.toml",
        )
