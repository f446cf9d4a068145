"""The AWS clients of an environment, and their errors as sentences."""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import threading
from collections.abc import Iterator
from typing import Any

from longshore.errors import BadInput, Precondition
from longshore.process.command import Secret
from longshore.settings.credentials import PROFILES, ROLE, Variables
from longshore.settings.job import Job
from longshore.settings.model import Environment

EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
# A session of botocore is for one thread at a time; its clients are for all, and making one takes up to 70 ms.
_MAKING = threading.Lock()


@functools.cache
def _loader() -> Any:
    """Return what loads botocore's service models, each once for all clients."""
    from botocore.loaders import Loader

    return Loader()


def client(environment: Environment, service: str) -> Any:
    """Return a client for SERVICE with the environment's own credentials, region and endpoint."""
    if endpoint := environment.endpoint_url:
        file = environment.aws_env.get("AWS_SHARED_CREDENTIALS_FILE", "")
        return local(service, environment.region, endpoint, str(file))
    with _MAKING:
        return _kept(tuple(sorted(environment.aws_env.items())), environment.region, service)


@functools.cache
def _kept(variables: tuple[tuple[str, str | Secret], ...], region: str | None, service: str) -> Any:
    return _chain(variables, region).create_client(service, config=_config())


def of_shell(variables: Variables, region: str | None, service: str, **options: Any) -> Any:
    """Return a client for SERVICE with the credentials that VARIABLES lead to, found where Terraform finds them too.

    All clients share them, so that a login is asked for once. Raises BadInput for a region that AWS does not have.
    """
    with _MAKING:
        session = _chain(tuple(sorted(variables.items())), region)
        return session.create_client(service, config=_config(**options))


@functools.cache
def _chain(variables: tuple[tuple[str, str | Secret], ...], region: str | None) -> Any:
    """Return a session of botocore to which role, key and profile are those in VARIABLES, and all else is as always.

    They may differ from the process's own: a job's token is put into a file for them, a key that does not count is not
    there, and an empty profile is none, as it is for Terraform.
    """
    from botocore.credentials import AssumeRoleWithWebIdentityProvider, EnvProvider

    session = _session(region)
    env = {name: value.reveal() if isinstance(value, Secret) else value for name, value in variables}
    # A profile may be another one than the shell's, and an empty one is none.
    session.session_var_map["profile"] = (None, None, None, None)
    if profile := next((env[name] for name in reversed(PROFILES) if env.get(name)), ""):
        session.set_config_variable("profile", profile)
    providers = session.get_component("credential_provider").providers
    for index, provider in enumerate(providers):
        if provider.METHOD == EnvProvider.METHOD:
            providers[index] = EnvProvider(environ=env)
    if all(env.get(name) for name in ROLE):  # then there is no other way in
        names = {"role_arn": ROLE[0], "web_identity_token_file": ROLE[1], "role_session_name": "AWS_ROLE_SESSION_NAME"}
        role = {key: env[name] for key, name in names.items() if env.get(name)}
        providers[:] = [
            AssumeRoleWithWebIdentityProvider(
                load_config=lambda: {"profiles": {"job": role}},
                client_creator=session.create_client,
                profile_name="job",
                disable_env_vars=True,
            )
        ]
    return session


def local(service: str, region: str, endpoint: str, credentials: str) -> Any:
    """Return a client for SERVICE of the local AWS at ENDPOINT, with the keys in the file CREDENTIALS.

    What the shell and the user's files say about AWS and proxies does not count.
    """
    try:
        written = os.stat(credentials).st_mtime_ns
    except OSError:
        written = 0
    with _MAKING:
        return _local(service, region, endpoint, credentials, written)


@functools.cache
def _local(service: str, region: str, endpoint: str, credentials: str, _written: int) -> Any:
    session = _session(region)
    for name, (_, _, default, typecast) in session.SESSION_VARIABLES.items():
        session.session_var_map[name] = (None, None, default, typecast)
    session.session_var_map["s3"] = (None, None, None, None)
    session.set_config_variable("config_file", os.devnull)
    session.set_config_variable("credentials_file", credentials)
    session.set_config_variable("ignore_configured_endpoint_urls", value=True)
    providers = session.get_component("credential_provider").providers
    providers[:] = [provider for provider in providers if provider.METHOD == "shared-credentials-file"]
    return session.create_client(service, endpoint_url=endpoint, config=_config(proxies={}))


def _session(region: str | None) -> Any:
    import botocore.session

    session = botocore.session.Session()
    session.register_component("data_loader", _loader())
    if region:
        session.set_config_variable("region", region)
        # The session's own list takes ten times as long as all else: it reads the model of a whole service.
        partitions = _loader().load_data("partitions")["partitions"]
        known = {name for each in partitions for name in each["regions"] if not name.endswith("-global")}
        if region not in known:
            near = difflib.get_close_matches(region, sorted(known), n=1)
            hint = f"did you mean {near[0]!r}?" if near else "a new region needs a newer botocore"
            raise BadInput(f"AWS has no region called {region!r}", hint=hint)
    return session


def _config(**options: Any) -> Any:
    from botocore.config import Config

    retries = {"max_attempts": 3, "mode": "standard"}
    return Config(**{"retries": retries, "connect_timeout": 5, "read_timeout": 30, **options})


@contextlib.contextmanager
def errors(what: str) -> Iterator[None]:
    """Turn botocore's exceptions into Precondition: WHAT is not reachable, and why."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, ValueError) as problem:  # ValueError: an endpoint that is not a URL
        hint = "check the credentials, and any endpoint in an AWS_* variable"
        if isinstance(problem, ClientError) and problem.response["Error"]["Code"] in EXPIRED:
            hint = "these credentials have expired: log in again, or get new ones"
        raise Precondition(f"{what} cannot be reached: {problem}", hint=hint) from None


def require_role(environment: Environment, job: Job) -> None:
    """Raise Precondition where JOB has a token, nothing says which role it is for, and there is no other way in."""
    if environment.ours or not job.has_token or ROLE[0] in environment.aws_env:
        return
    with errors("AWS"):
        session = _chain(tuple(sorted(environment.aws_env.items())), environment.region)
        found = session.get_credentials()
    if found is None:
        raise Precondition(
            f"this job has a token, but no role to take on in {environment.name}: {ROLE[0]} is not set",
            hint="`invoke ci.variables` says which role each of the jobs' environments needs, and where it is set",
        )


def guard_account(environment: Environment) -> None:
    """Raise Precondition unless the credentials belong to the account in the settings."""
    with errors("AWS"):
        account = client(environment, "sts").get_caller_identity()["Account"]
    if account != environment.account:
        raise Precondition(
            f"the credentials belong to account {account}, but {environment.name} is {environment.account}",
            hint="nothing was changed; use that account's credentials or correct `account` in longshore.toml",
        )
