"""Whether the variables that a project has to set are set at GitLab or GitHub, there or above it.

GitLab: docs.gitlab.com/api/project_level_variables, for the role Maintainer, group_level_variables for each group
above, for its Owner, and instance_level_ci_variables, for an administrator: everybody else gets 403. GitHub:
docs.github.com/rest, pages actions/secrets, actions/variables (what the organization shares with the repository
included) and deployments/environments, for whoever may write; it shows no secret's value. No value is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from urllib.parse import quote, urlsplit

from msgspec import Struct

from longshore.errors import BadInput
from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Role
from longshore.pipeline.variables import Variable, variables
from longshore.pipeline.web import Hidden, Place
from longshore.settings.model import Settings

SERVER = "/admin/ci/variables"
FIXED = "TF_VAR_AWS_ACCESS_KEY_ID"  # GitLab's jobs can do with it instead of a role


class Fact(Struct, frozen=True):
    """Whether WHAT is fine, None: the token may not see enough to tell; what to DO if it is not."""

    fine: bool | None
    what: str
    do: str = ""


class Held(Struct, frozen=True, kw_only=True):
    """A variable that is set. GitLab's `scope` may be a pattern; GitHub's is an environment, `*` for the repository.

    `above` is how far up at GitLab it is: 0 for the project's own, then its groups', last the server's.
    """

    name: str
    scope: str
    secret: bool
    protected: bool | None = None
    above: int = 0


def gitlab(settings: Settings) -> list[Fact]:
    """Ask GitLab which of SETTINGS' variables are set there. Raises Precondition, BadInput."""
    host, job = settings.host, settings.job
    project = settings.pipeline.gitlab or (job.project if job.provider == "gitlab" else "")
    path = f"/projects/{quote(_path(project, 'gitlab'), safe='')}"
    url = host.gitlab_api or job.api or "https://gitlab.com/api/v4"
    there = Place("GitLab", url, "PRIVATE-TOKEN", host.gitlab_token)
    held = [each.held(0) for each in there.pages(f"{path}/variables", _Variable)]
    places = inherited(url, there.one(path, _Project).groups())
    hidden = []
    for above, (whose, shared) in enumerate(places.items(), start=1):
        try:
            held += [each.held(above) for each in there.pages(shared, _Variable)]
        except Hidden:
            hidden.append(f"the variables of {whose}")
    requests = {job.scope for job in jobs(settings) if job.role is Role.REVIEW}
    return [
        _at_gitlab(each, f"{scope}/a-request" if scope in requests else scope, held, hidden)
        for each, scope in _each(settings)
        if _counts(each, held)
    ]


def inherited(url: str, groups: list[str]) -> dict[str, str]:
    """Return where GitLab at URL has what GROUPS and the server share, the nearest first, by whose it is."""
    places = {f"the group {group}": f"/groups/{quote(group, safe='')}/variables" for group in groups}
    return places if urlsplit(url).hostname == "gitlab.com" else {**places, "the whole server": SERVER}


def _at_gitlab(needed: Variable, scope: str, held: list[Held], hidden: list[str]) -> Fact:
    what = f"{needed.name} for {scope}" if scope != "*" else needed.name
    found = _closest(needed.name, scope, held)
    if found is None:
        if needed.name == "AWS_ROLE_ARN" and _closest(FIXED, scope, held):
            return Fact(fine=True, what=f"{what} (a fixed key in its place)")
        return _absent(what, "it is not set there", hidden)
    if needed.secret and not found.secret:
        return Fact(fine=False, what=what, do="it has to be masked, since jobs' logs show it")
    if needed.protected and not found.protected:
        return Fact(fine=False, what=what, do="it has to be protected, since jobs of every branch get it")
    if found.protected and not needed.protected:
        return Fact(fine=False, what=what, do="it is protected, so jobs of other branches do not get it")
    return Fact(fine=True, what=what)


def _closest(name: str, scope: str, held: list[Held]) -> Held | None:
    """Return what a job of SCOPE gets: the project's before what is above it, and there that of the longest pattern."""
    matching = [each for each in held if each.name == name and fnmatchcase(scope, each.scope)]
    return max(matching, key=lambda each: (-each.above, len(each.scope.replace("*", ""))), default=None)


def github(settings: Settings) -> list[Fact]:
    """Ask GitHub which of SETTINGS' variables are set there, and who is asked before its jobs. As `gitlab` raises."""
    host = settings.host
    repository = f"/repos/{_path(settings.pipeline.github, 'github')}"
    there = Place("GitHub", host.github_api or "https://api.github.com", "Authorization", host.github_token)
    environments = {each.name: each for each in there.pages(f"{repository}/environments", _Named, "environments")}
    shared = there.one(repository, _Repository).owner.type == "Organization"
    held, hidden = [], []
    for kind in ("variables", "secrets"):
        for place in ("*", *environments):
            path = "actions" if place == "*" else f"environments/{quote(place, safe='')}"
            found = there.pages(f"{repository}/{path}/{kind}", _Named, kind)
            held += [Held(name=each.name, scope=place, secret=kind == "secrets") for each in found]
        try:
            found = there.pages(f"{repository}/actions/organization-{kind}", _Named, kind) if shared else []
            held += [Held(name=each.name, scope="*", secret=kind == "secrets") for each in found]
        except Hidden:
            hidden.append(f"the {kind} that the organization shares")
    facts = [
        _at_github(each, scope, held, [kind for kind in hidden if each.secret == ("secrets" in kind)])
        for each, scope in _each(settings)
        if each.provider != "gitlab" and _counts(each, held)
    ]
    for scope in dict.fromkeys(job.scope for job in jobs(settings) if job.by_hand and not job.apart):
        asked = scope in environments and _Rule("required_reviewers") in environments[scope].protection_rules
        do = "without them its jobs start by themselves"
        facts.append(Fact(fine=asked, what=f"required reviewers for {scope}", do="" if asked else do))
    return facts


def _at_github(needed: Variable, scope: str, held: list[Held], hidden: list[str]) -> Fact:
    what = f"{needed.name} for {scope}" if scope != "*" else needed.name
    found = [each for each in held if each.name == needed.name and each.scope in ("*", scope)]
    if not any(each.secret == needed.secret for each in found):
        wanted = "a secret" if needed.secret else "a variable"
        return _absent(what, f"it is not set there{' as' if found else ':'} {wanted}", hidden)
    if needed.secret and not all(each.secret for each in found):
        return Fact(fine=False, what=what, do="it is a variable as well, which everybody who may write reads")
    return Fact(fine=True, what=what)


def _absent(what: str, do: str, hidden: list[str]) -> Fact:
    """Return that WHAT is not set, unless it may be among what is HIDDEN."""
    if hidden:
        return Fact(fine=None, what=what, do=f"{do}, and {' and '.join(hidden)} were not seen")
    return Fact(fine=False, what=what, do=do)


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

    def held(self, above: int) -> Held:
        return Held(
            name=self.key, scope=self.environment_scope, secret=self.masked, protected=self.protected, above=above
        )


class _Namespace(Struct):
    kind: str
    full_path: str


class _Project(Struct):
    """What GitLab says of a project."""

    namespace: _Namespace

    def groups(self) -> list[str]:
        """Return the paths of the groups that it is in, the nearest first: none if it is a user's own."""
        names = self.namespace.full_path.split("/") if self.namespace.kind == "group" else []
        return ["/".join(names[:count]) for count in range(len(names), 0, -1)]


class _Owner(Struct):
    type: str


class _Repository(Struct):
    """What GitHub says of a repository."""

    owner: _Owner


class _Rule(Struct):
    type: str


class _Named(Struct):
    """What GitHub says of a variable, a secret or an environment."""

    name: str
    protection_rules: list[_Rule] = []
