"""What one environment verified, live in another one: two of one checkout, each with its own AWS, registry, cluster."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcloud import readers
from localcloud.layout import Layout
from longshore.settings.load import load
from tests import pipeline_tools
from tests.e2e.project import ENVIRONMENT, Project, free_ports, git

pytestmark = pytest.mark.slow  # a second environment; tests/integration/test_promotion.py copies between registries
ACCOUNT = "123456789012"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/shop-target-ci-"
FIRST_START = 600  # seconds; everything is compiled


@dataclass
class Pair:
    """The environment that verifies, and the protected one that gets what it verified."""

    source: Project
    target: Project
    origin: Path

    def promote(self, *words: str, check: bool = True) -> dict[str, object]:
        names = ("--from", self.source.name, "-e", self.target.name)
        ran = self.source.invoke("promote", *names, "--json", *words, check=check)
        return ran.data | {"code": ran.exit_code}

    def push(self) -> None:
        git(self.source.folder, "push", "-q", str(self.origin), "HEAD:main")

    def commit(self, text: str) -> str:
        """Commit another image; return the revision."""
        self.source.change(text)
        git(self.source.folder, "add", "--all")
        git(self.source.folder, "commit", "-q", "-m", text)
        return git(self.source.folder, "rev-parse", "HEAD")[:12]


@pytest.fixture(scope="module")
def pair(live: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    live.restore()
    before, origin = git(live.folder, "rev-parse", "HEAD"), tmp_path_factory.mktemp("remote") / "shop.git"
    target = copy.copy(live)
    target.name = "target"
    target.http_port, target.https_port, target.aws_port = free_ports(3)
    table = ENVIRONMENT.format(
        name=target.name, http=target.http_port, https=target.https_port, aws=target.aws_port
    ).replace("bake = 0\n", f'bake = 0\nprotected = true\nremote = "{origin}"\n')
    with (live.folder / "longshore.toml").open("a") as settings:
        settings.write(f'{table}promoted_from = "arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/shop/app"\n')
    ports, reader = f"http_port = {live.http_port}\n", f"{ROLES}build"
    live.edit("longshore.toml", ports, f'promotes_to = ["{reader}"]\n{ports}')
    git(live.folder, "commit", "-q", "-a", "-m", "Add an environment")
    git(origin.parent, "init", "-q", "--bare", "-b", "main", str(origin))
    pair = Pair(live, target, origin)
    try:
        pair.push()
        live.deploy("--skip-checks")
        live.invoke("local.up", "-e", target.name, deadline=FIRST_START)
        yield pair
    finally:
        live.invoke("local.reset", "-e", target.name, "--confirm", target.name, deadline=120)
        git(live.folder, "reset", "-q", "--hard", before)


def test_the_digest_that_one_verified_is_the_digest_that_the_other_runs(pair: Pair) -> None:
    verified = pair.source.releases()[0]
    promoted = pair.promote()
    assert (promoted["digest"], promoted["revision"]) == (verified["digest"], verified["revision"])
    assert {verified["digest"]} == pair.target.registry_digests() <= pair.source.registry_digests()
    there, here = pair.target.version(), pair.source.version()
    assert (there["digest"], there["revision"]) == (here["digest"], here["revision"])
    assert there["digest"] == verified["digest"]
    (release,) = pair.target.releases()
    assert (release["verdict"], release["promoted"]) == ("good", f"e2e, release {verified['number']}")
    assert f"promoted from e2e, release {verified['number']}" in pair.source.invoke("history", "-e", "target").out


@pytest.mark.parametrize("provider", ["gitlab", "github"])
def test_a_pipeline_of_both_builds_once_and_by_hand_releases_what_the_first_one_verified(
    pair: Pair, provider: str
) -> None:
    folders = [*pipeline_tools.gitlab_ci_local(), pipeline_tools.compiled(pipeline_tools.ACT).parent]
    path = ":".join([*map(str, folders), pair.source.environ["PATH"]])
    delivery = ("build-e2e", "rollout-e2e", "promote-target", "rollout-target")

    def run(*words: str) -> dict[str, str]:
        argv = ("-e", "e2e,target", f"--provider={provider}", f"--jobs={','.join(delivery)}", "--json", *words)
        ran = pair.source.invoke("ci.run", *argv, deadline=900, PATH=path)
        return {job["name"]: job["result"] for job in ran.data["jobs"]}

    pair.promote()  # the first release there is a person's, who may make the namespace
    revision = pair.commit(f"through a pipeline of {provider}'s")
    pair.push()
    verified, before = pair.source.releases()[0]["number"], pair.target.releases()
    if provider == "gitlab":
        assert run() == dict.fromkeys(delivery[:-1], "passed")
        assert pair.target.releases() == before, "nobody has started the last job"
    assert run("--by-hand=rollout-target") == dict.fromkeys(delivery, "passed")
    release, served = pair.source.releases()[0], pair.target.version()
    assert (release["number"], release["verdict"], release["revision"]) == (verified + 1, "good", revision)
    assert release["digest"] in pair.source.registry_digests() & pair.target.registry_digests()
    assert (served["digest"], served["revision"]) == (release["digest"], revision)
    # A pipeline's rollout that finds its release there does not tell the number.
    assert pair.target.releases()[0]["promoted"] == ("e2e" if provider == "gitlab" else f"e2e, release {verified + 1}")
    assert len(pair.target.releases()) == len(before) + 1


def test_the_role_that_builds_for_the_other_one_may_read_the_images_and_no_other_role(pair: Pair) -> None:
    settings = load(pair.source.folder, pair.source.environ)
    layout = Layout.of(settings, settings.environment("e2e"))
    repository = pair.source.invoke("infra.output", "-e", "e2e", "--json").data["repository_url"]
    allowed = {role: readers.lets(layout, repository, f"{ROLES}{role}") for role in ("build", "deploy")}
    assert allowed == {"build": True, "deploy": False}


def test_a_repeated_promotion_has_nothing_to_do(pair: Pair) -> None:
    pair.promote()
    again = pair.promote()
    assert (again["changed"], again["ran"]) == (False, {})
    assert str(again["digest"]) in pair.source.invoke("image.promote", "--from", "e2e", "-e", "target").out.split()
    handed_on = pair.source.invoke("image.promote", "--from", "e2e", "-e", "target", "--from-job", "--json").data
    assert handed_on["digest"] == again["digest"]
    assert len(pair.target.releases()) == 1


def test_what_was_never_verified_is_refused_and_nothing_is_written(pair: Pair) -> None:
    pair.commit("built, and never released")
    pair.push()
    built = pair.source.invoke("image.build", "-e", "e2e", "--json").data["digest"]
    assert built in pair.source.registry_digests()
    before = (pair.target.registry_digests(), pair.target.releases(), pair.target.admin("get", "lease", "-o", "yaml"))
    for digest in (built, f"sha256:{'0' * 64}"):
        refused = pair.promote("--digest", digest, check=False)
        assert refused["code"] == 3
        assert refused["error"] == f"e2e never verified {digest}"
        assert "invoke history -e e2e" in str(refused["hint"])
    after = (pair.target.registry_digests(), pair.target.releases(), pair.target.admin("get", "lease", "-o", "yaml"))
    assert after == before


def test_a_protected_environment_gets_what_is_on_the_branch_alone(pair: Pair) -> None:
    revision = pair.commit("the next one")
    pair.source.deploy("--skip-checks")
    before = (pair.target.registry_digests(), pair.target.releases())
    refused = pair.promote(check=False)
    assert refused["code"] == 3
    assert f"target is protected and the commit {revision} is not on the branch main" in str(refused["error"])
    assert (pair.target.registry_digests(), pair.target.releases()) == before
    pair.push()
    pair.commit("work of another day, which is not promoted")
    assert pair.promote()["revision"] == revision
    assert pair.target.version()["revision"] == revision
    assert pair.target.releases()[0]["digest"] == pair.source.releases()[0]["digest"]
