"""Whether the variables that a project has to set are set at GitLab or GitHub.

GitLab: docs.gitlab.com/api/project_level_variables, for the role Maintainer. GitHub: docs.github.com/rest, pages
actions/secrets, actions/variables and deployments/environments, for whoever may write; it shows no secret's value. No
value is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TypeVar
from urllib.parse import quote

from msgspec import Struct, ValidationError, convert

from longshore.errors import BadInput, Precondition
from longshore.pipeline import web
from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Role
from longshore.pipeline.variables import Variable, variables
from longshore.process.command import Secret
from longshore.settings.model import Settings

PAGE = 30  # entries, the most that both give at once: GitHub no more variables, however many are asked for
FIXED = "TF_VAR_AWS_ACCESS_KEY_ID"  # GitLab's jobs can do with it instead of a role


T = TypeVar("T")


class Fact(Struct, frozen=True):
    """Whether WHAT is fine; what to DO if it is not."""

    fine: bool
    what: str
    do: str = ""


class Held(Struct, frozen=True, kw_only=True):
    """A variable that is set. GitLab's `scope` may be a pattern; GitHub's is an environment, `*` for the repository."""

    name: str
    scope: str
    secret: bool
    protected: bool | None = None


def gitlab(settings: Settings) -> list[Fact]:
    """Ask GitLab which of SETTINGS' variables are set there. Raises Precondition, BadInput."""
    host, job = settings.host, settings.job
    project = settings.pipeline.gitlab or (job.project if job.provider == "gitlab" else "")
    path = f"/projects/{quote(_path(project, 'gitlab'), safe='')}/variables"
    there = _Place(
        "GitLab", host.gitlab_api or job.api or "https://gitlab.com/api/v4", "PRIVATE-TOKEN", host.gitlab_token
    )
    held = [
        Held(name=each.key, scope=each.environment_scope, secret=each.masked, protected=each.protected)
        for each in there.pages(path, _Variable)
    ]
    requests = {job.scope for job in jobs(settings) if job.role is Role.REVIEW}
    return [
        _at_gitlab(each, f"{scope}/a-request" if scope in requests else scope, held)
        for each, scope in _each(settings)
        if _counts(each, held)
    ]


def _at_gitlab(needed: Variable, scope: str, held: list[Held]) -> Fact:
    what = f"{needed.name} for {scope}" if scope != "*" else needed.name
    found = _closest(needed.name, scope, held)
    if found is None:
        if needed.name == "AWS_ROLE_ARN" and _closest(FIXED, scope, held):
            return Fact(fine=True, what=f"{what} (a fixed key in its place)")
        return Fact(fine=False, what=what, do="it is not set there")
    if needed.secret and not found.secret:
        return Fact(fine=False, what=what, do="it has to be masked, since jobs' logs show it")
    if needed.protected and not found.protected:
        return Fact(fine=False, what=what, do="it has to be protected, since jobs of every branch get it")
    if found.protected and not needed.protected:
        return Fact(fine=False, what=what, do="it is protected, so jobs of other branches do not get it")
    return Fact(fine=True, what=what)


def _closest(name: str, scope: str, held: list[Held]) -> Held | None:
    """Return what a job of SCOPE gets: of the patterns that match it GitLab takes the longest."""
    matching = [each for each in held if each.name == name and fnmatchcase(scope, each.scope)]
    return max(matching, key=lambda each: len(each.scope.replace("*", "")), default=None)


def github(settings: Settings) -> list[Fact]:
    """Ask GitHub which of SETTINGS' variables are set there, and who is asked before its jobs. As `gitlab` raises."""
    host = settings.host
    repository = f"/repos/{_path(settings.pipeline.github, 'github')}"
    there = _Place("GitHub", host.github_api or "https://api.github.com", "Authorization", host.github_token)
    environments = {each.name: each for each in there.pages(f"{repository}/environments", _Named, "environments")}
    held = []
    for kind, secret in (("variables", False), ("secrets", True)):
        for place in ("*", *environments):
            path = "actions" if place == "*" else f"environments/{quote(place, safe='')}"
            found = there.pages(f"{repository}/{path}/{kind}", _Named, kind)
            held += [Held(name=each.name, scope=place, secret=secret) for each in found]
    facts = [
        _at_github(each, scope, held)
        for each, scope in _each(settings)
        if each.provider != "gitlab" and _counts(each, held)
    ]
    for scope in dict.fromkeys(job.scope for job in jobs(settings) if job.by_hand and not job.apart):
        asked = scope in environments and _Rule("required_reviewers") in environments[scope].protection_rules
        do = "without them its jobs start by themselves"
        facts.append(Fact(fine=asked, what=f"required reviewers for {scope}", do="" if asked else do))
    return facts


def _at_github(needed: Variable, scope: str, held: list[Held]) -> Fact:
    what = f"{needed.name} for {scope}" if scope != "*" else needed.name
    found = [each for each in held if each.name == needed.name and each.scope in ("*", scope)]
    if not any(each.secret == needed.secret for each in found):
        wanted = "a secret" if needed.secret else "a variable"
        return Fact(
            fine=False, what=what, do=f"it is not set there as {wanted}" if found else f"it is not set there: {wanted}"
        )
    if needed.secret and not all(each.secret for each in found):
        return Fact(fine=False, what=what, do="it is a variable as well, which everybody who may write reads")
    return Fact(fine=True, what=what)


def _each(settings: Settings) -> Iterator[tuple[Variable, str]]:
    for variable in variables(settings):
        for scope in variable.scopes or ("*",):
            yield variable, scope


def _counts(needed: Variable, held: list[Held]) -> bool:
    """Whether NEEDED is asked for: what is optional only if it is there, since it may be there wrongly."""
    return not needed.optional or any(each.name == needed.name for each in held)


def _path(path: str, provider: str) -> str:
    if not path:
        raise BadInput(f"[pipeline] {provider} does not name the project there", hint=f'{provider} = "group/project"')
    return path


class _Variable(Struct):
    """What GitLab says of one."""

    key: str
    environment_scope: str = "*"
    masked: bool = False
    protected: bool = False


class _Rule(Struct):
    type: str


class _Named(Struct):
    """What GitHub says of a variable, a secret or an environment."""

    name: str
    protection_rules: list[_Rule] = []


class _Place:
    """The API of NAME at URL."""

    def __init__(self, name: str, url: str, header: str, token: Secret | None) -> None:
        if token is None:
            hint = "a token that may read variables, in GITLAB_TOKEN for GitLab, in GH_TOKEN for GitHub"
            raise Precondition(f"there is no token to ask {name} with", hint=hint)
        self._name, self._url = name, url
        self._headers = {header: ("Bearer " if header == "Authorization" else "") + token.reveal()}

    def pages(self, path: str, kind: type[T], key: str = "") -> list[T]:
        """Return all entries at PATH, which GitHub keeps under KEY."""
        found: list[T] = []
        while True:
            asked = f"{self._url}{path}?per_page={PAGE}&page={len(found) // PAGE + 1}"
            try:
                answer = web.ask(asked, self._headers)
                entries = convert(answer[key] if key else answer, list[kind])  # type: ignore[valid-type]
            except web.Refused as problem:
                hint = (
                    f"the token has to belong to a maintainer of {path.partition('/variables')[0]} and may have expired"
                )
                raise Precondition(f"{self._name} does not say what is set: {problem}", hint=hint) from None
            except (OSError, ValueError, KeyError, TypeError, ValidationError) as problem:
                raise Precondition(f"{self._name} cannot be asked: {problem}", hint=f"its API is {self._url}") from None
            found += entries
            if len(entries) < PAGE:
                return found
