"""What environment variables say of this machine and its user."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from longshore.process.command import Secret


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Folders, terminal, and credentials other than those of AWS.

    `path` is PATH. `config`, `cache` and `state` are the XDG folders. `terraform_config` is the file, which need not
    exist, where Terraform looks for its CLI configuration. `docker_hub` is `user:password`, None if either is missing.
    `checkout` is the one whose environments on this machine are meant, None for the project's own: a job that runs here
    releases to it. Saved plans are encrypted with `plan_key`, results in the cache are signed with `results_key`.
    `gitlab_api` and `github_api` are the servers in GITLAB_HOST and GH_HOST, as their own command line tools read them,
    each with its token; empty: the public one. `gogc` is empty if unset. `pip` are the PIP_… variables, secret because
    an index's URL may hold a password.
    """

    home: Path
    path: str
    config: Path
    cache: Path
    state: Path
    checkout: Path | None
    dumb_terminal: bool
    no_color: bool
    docker_config: Path
    docker_hub: Secret | None
    terraform_config: Path
    plan_key: Secret | None
    results_key: Secret | None
    gitlab_api: str
    gitlab_token: Secret | None
    github_api: str
    github_token: Secret | None
    gogc: str
    pip: Mapping[str, Secret]

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Self:
        home = Path(environ.get("HOME") or "/root")

        def folder(variable: str, default: str) -> Path:
            return Path(environ.get(variable) or home / default)

        def secret(variable: str) -> Secret | None:
            return Secret(value) if (value := environ.get(variable)) else None

        # The GitLab project that this one continues pulls its base image as a named user of Docker Hub.
        user, password = environ.get("DOCKER_UNAME"), environ.get("DOCKER_PWORD")
        return cls(
            home=home,
            path=environ.get("PATH", ""),
            config=folder("XDG_CONFIG_HOME", ".config"),
            cache=folder("XDG_CACHE_HOME", ".cache"),
            state=folder("XDG_STATE_HOME", ".local/state"),
            checkout=Path(value) if (value := environ.get("LONGSHORE_CHECKOUT")) else None,
            dumb_terminal=environ.get("TERM") == "dumb",
            no_color=bool(environ.get("NO_COLOR")),
            docker_config=folder("DOCKER_CONFIG", ".docker"),
            docker_hub=Secret(f"{user}:{password}") if user and password else None,
            terraform_config=folder("TF_CLI_CONFIG_FILE", ".terraformrc"),
            plan_key=secret("LONGSHORE_PLAN_KEY"),
            results_key=secret("LONGSHORE_RESULTS_KEY"),
            gitlab_api=_api(environ.get("GITLAB_HOST", ""), "/api/v4"),
            gitlab_token=secret("GITLAB_TOKEN"),
            github_api=_api(environ.get("GH_HOST", "").removesuffix("github.com"), "/api/v3"),
            github_token=secret("GH_TOKEN") or secret("GITHUB_TOKEN"),
            gogc=environ.get("GOGC", ""),
            pip={name: Secret(value) for name, value in environ.items() if name.startswith("PIP_")},
        )


def _api(host: str, path: str) -> str:
    """Return the address of the API at PATH of HOST, which may be a URL; empty if there is none."""
    if not host:
        return ""
    return ("" if "://" in host else "https://") + host.rstrip("/") + path
