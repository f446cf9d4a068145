"""The variables that a project has to set at GitLab or GitHub, so that the pipeline's jobs work."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from msgspec import Struct

from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Role
from longshore.settings.model import Settings

KEY = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


class Variable(Struct, frozen=True, kw_only=True):
    """One variable. `scopes` are the environments there that it is set for, empty: the whole project.

    `secret`: masked and hidden at GitLab, a secret and no variable at GitHub. `protected`: at GitLab, for jobs of
    protected branches alone. `provider` is the only one that has it, empty: both.
    """

    name: str
    meaning: str
    scopes: tuple[str, ...] = ()
    secret: bool = False
    protected: bool = True
    optional: bool = False
    provider: str = ""


def variables(settings: Settings) -> list[Variable]:
    """Return the variables of SETTINGS' pipelines."""
    found = jobs(settings)
    roles = {job.scope: job.role for job in found if job.role is not Role.NONE}
    keys = [job.scope for job in found if job.role in (Role.PLAN, Role.APPLY)]
    return [
        *(
            Variable(
                name="AWS_ROLE_ARN",
                meaning=f"the role for it: `{role}` in ci_role_arns, which"
                f" `invoke infra.output -e {scope.split('/', maxsplit=1)[0]}` prints",
                scopes=(scope,),
                protected=role not in (Role.PLAN, Role.REVIEW),  # for every branch
            )
            for scope, role in roles.items()
        ),
        Variable(
            name="LONGSHORE_PLAN_KEY",
            meaning=f"encrypts a plan on its way to `apply`: a plan holds values in clear text. `{KEY}` makes one",
            scopes=tuple(_unique(keys)),
            secret=True,
            protected=False,
        ),
        Variable(
            name="LONGSHORE_NOTES_TOKEN",
            meaning="a project access token (scope api, role Reporter) that writes the plan on merge requests",
            scopes=tuple(job.scope for job in found if job.role is Role.PLAN and job.needs),
            secret=True,
            protected=False,
            optional=True,
            provider="gitlab",
        ),
        Variable(
            name="LONGSHORE_RESULTS_KEY",
            meaning="signs results in the bucket that `[cache] remote` names; any long random text",
            secret=True,
            protected=False,
            optional=True,
        ),
        Variable(
            name="DOCKER_UNAME",
            meaning="a user of Docker Hub, for the base image: anonymous pulls are counted by address",
            optional=True,
        ),
        Variable(name="DOCKER_PWORD", meaning="that user's access token", secret=True, optional=True),
    ]


def advice(settings: Settings) -> list[str]:
    """Return what else has to be set there, one sentence each."""
    scopes = _unique(job.scope for job in jobs(settings) if job.by_hand and not job.apart)
    return [
        "GitLab: a fixed key in TF_VAR_AWS_ACCESS_KEY_ID and TF_VAR_AWS_SECRET_ACCESS_KEY works without AWS_ROLE_ARN",
        "GitLab: delete that key once the roles are set; unlike it, a role's token is worthless after an hour",
        "GitLab: DOCKER_AUTH_CONFIG is read by its runner alone and reaches no build; DOCKER_UNAME and DOCKER_PWORD do",
        "GitLab: a schedule under Build > Pipeline schedules looks for drift",
        "GitLab: a variable TERRAFORM_VERSION overrides the one in the file, and must be at least 1.11.4",
        f"GitHub: {', '.join(scopes)} need required reviewers; without them their jobs start by themselves",
        *(
            f"AWS: {later}'s build role reads {earlier}'s images: `promotes_to` in {earlier}'s Terraform variables, and"
            f" `promoted_from` in those of {later}"
            for earlier, later in pairwise(settings.pipeline.environments)
        ),
        *(
            f"GitLab: {scope}/* is the scope of the role for {scope}, since each merge request has an environment"
            for scope in _unique(job.scope for job in jobs(settings) if job.role is Role.REVIEW)
        ),
        "GitHub: in a public repository everybody reads artifacts, so LONGSHORE_PLAN_KEY must be set there",
    ]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
