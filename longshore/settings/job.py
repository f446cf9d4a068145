"""What environment variables say of the CI job that this program runs in: their only reader."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import msgspec

from longshore.process.command import Secret


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job of GitLab or GitHub; on a laptop all but `actor`, this machine's user, are empty. `commit` is a full hash.

    `branch` is the one that it is about: at a merge request, the one that would be merged. `protected_ref`: the job
    runs for a protected branch or tag. `outputs` is the file in which GitHub reads what a step hands on, `summary` the
    one with the page that it shows of the job. `api` is the URL of GitLab's API, `project` the
    number of the project, `request` that of the merge request whose pipeline this is, if any. `id_token` proves to AWS
    which job this is; GitHub hands it out at `token_url` to whoever has `token_request`. `registry` is where the
    project keeps images, with its login (`user:password`).
    """

    provider: Literal["", "gitlab", "github"] = ""
    in_ci: bool = False
    protected_ref: bool = False
    commit: str = ""
    branch: str = ""
    actor: str = ""
    url: str = ""
    outputs: Path | None = None
    summary: Path | None = None
    api: str = ""
    project: str = ""
    request: str = ""
    notes_token: Secret | None = None
    registry: str = ""
    registry_login: Secret | None = None
    id_token: Secret | None = None
    token_url: str = ""
    token_request: Secret | None = None

    @property
    def has_token(self) -> bool:
        """Whether it can prove to AWS which job it is."""
        return bool(self.id_token or self.token_request)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        in_ci = _is_on(environ.get("CI", ""))
        user = environ.get("LOGNAME") or environ.get("USER") or _user()
        if _is_on(environ.get("GITLAB_CI", "")):
            return cls(
                provider="gitlab",
                in_ci=in_ci,
                protected_ref=environ.get("CI_COMMIT_REF_PROTECTED") == "true",
                commit=environ.get("CI_COMMIT_SHA", ""),
                branch=environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environ.get("CI_COMMIT_REF_NAME", ""),
                actor=environ.get("GITLAB_USER_LOGIN") or user,
                url=environ.get("CI_JOB_URL", ""),
                api=environ.get("CI_API_V4_URL", ""),
                project=environ.get("CI_PROJECT_ID", ""),
                request=environ.get("CI_MERGE_REQUEST_IID", ""),
                notes_token=_secret(environ, "LONGSHORE_NOTES_TOKEN"),
                id_token=_secret(environ, "AWS_ID_TOKEN"),
                registry=environ.get("CI_REGISTRY_IMAGE", ""),
                registry_login=_login(environ, "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"),
            )
        if _is_on(environ.get("GITHUB_ACTIONS", "")):
            run = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
            server, repository, number = (environ.get(name, "") for name in run)
            return cls(
                provider="github",
                in_ci=in_ci,
                protected_ref=environ.get("GITHUB_REF_PROTECTED") == "true",
                commit=environ.get("GITHUB_SHA", ""),
                branch=environ.get("GITHUB_HEAD_REF") or environ.get("GITHUB_REF_NAME", ""),
                actor=environ.get("GITHUB_ACTOR") or user,
                url=f"{server}/{repository}/actions/runs/{number}" if number else "",
                request=environ.get("LONGSHORE_REQUEST", ""),  # GITHUB_REF has none once the request was merged
                outputs=_file(environ, "GITHUB_OUTPUT"),
                summary=_file(environ, "GITHUB_STEP_SUMMARY"),
                token_url=environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
                token_request=_secret(environ, "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
            )
        return cls(in_ci=in_ci, actor=user)


def _file(environ: Mapping[str, str], variable: str) -> Path | None:
    return Path(value) if (value := environ.get(variable)) else None


def _secret(environ: Mapping[str, str], variable: str) -> Secret | None:
    return Secret(value) if (value := environ.get(variable)) else None


def _login(environ: Mapping[str, str], user: str, password: str) -> Secret | None:
    values = [environ.get(variable, "") for variable in (user, password)]
    return Secret(":".join(values)) if all(values) else None


def _is_on(value: str) -> bool:
    return value.lower() not in ("", "0", "false")


def _user() -> str:
    """Return the name of the user that runs this process; the number in a container that has no name for it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
