"""The table `[pipeline]`: what the generated pipelines deploy, and where they run."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from longshore.settings.values import EnvironmentName, Image

ProjectPath = Annotated[str, Meta(pattern=r"\A([\w.-]+(/[\w.-]+)+)?\Z", description="GROUP/PROJECT")]
# These stand in YAML, and one of them in an expression, so each may hold what it needs and nothing else.
Cron = Annotated[
    str, Meta(pattern=r"\A[\d*/,A-Z-]+( [\d*/,A-Z-]+){4}\Z", description="five fields of cron, such as `17 3 * * *`")
]
Version = Annotated[str, Meta(pattern=r"\A\d+\.\d+(\.\d+)?\Z", description="a version such as 3.11")]


Hours = Annotated[int, Meta(ge=1, le=336, description="1 to 336 hours")]  # an image of theirs is kept for a month


class Review(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[pipeline.review]`: each merge request gets an environment of its own, a slot in the cluster of `environment`.

    It ends with the merge request, or `hours` after it was last deployed. `overlay` is another than `environment`'s.
    """

    environment: EnvironmentName
    hours: Hours = 72
    overlay: str = ""


class Pipeline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[pipeline]`: the environments that a pipeline deploys to, in this order; none: it only checks.

    `gitlab` and `github` are the project's path there. Jobs that get credentials run for that project alone, and not in
    a fork's own pipelines; empty: in any. `providers` are those whose file is generated. `drift` is when GitHub looks
    for drift (UTC). GitLab's jobs run in `image`, made by `invoke ci.image`; empty: each installs its tools. `docker`
    is the daemon beside those that build; `buildkit`, a rootless one, takes its place, so that no runner has to be
    privileged. Without `review`, merge requests are checked and not deployed.
    """

    providers: tuple[Literal["gitlab", "github"], ...] = ()
    environments: tuple[EnvironmentName, ...] = ()
    gitlab: ProjectPath = ""
    github: ProjectPath = ""
    python: Version = "3.11"
    terraform: Version = "1.11.4"
    kubectl: Version = "1.35.4"
    image: Image | Literal[""] = ""
    docker: Image = "docker:28-dind"
    buildkit: Image | Literal[""] = ""
    drift: Cron = "17 3 * * *"
    review: Review | None = None
