"""What a rehearsal changes of the pipelines' files, and what of them it leaves as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml
from msgspec.structs import replace

from longshore.errors import Precondition
from longshore.pipeline import artifact_store, github, gitlab, rehearse_github, rehearse_gitlab
from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Artifact, Job, Role
from longshore.pipeline.rehearsal import Progress, Rehearsal
from longshore.process.runner import Runner
from longshore.settings.model import LocalEnvironment, Settings
from tests.unit.pipeline.given import settings

ENDPOINTS = {"staging": "http://127.0.0.1:4567", "production": "http://127.0.0.1:4566"}


def here(base: Settings) -> Settings:
    """BASE with its environments on this machine."""
    local = LocalEnvironment(id="none", state=Path("/nonexistent"), run=Path("/nonexistent"))
    moved = {
        name: replace(base.environment(name), local=local, aws_env={"AWS_ENDPOINT_URL": url})
        for name, url in ENDPOINTS.items()
    }
    return replace(base, environments=base.environments | moved)


SETTINGS = here(settings())
TWO = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, environments=("staging", "production")))
JOBS = {job.name: job for job in jobs(SETTINGS)}
ROLES = {
    name: {str(role): f"arn:aws:iam::222222222222:role/shop-{name}-{role}" for role in Role if role is not Role.NONE}
    for name in ENDPOINTS
}
PLAN_KEY = "a-key-for-plans"


def rehearsal(folder: Path = Path("/run"), *, only: str = "", by_hand: str = "", **given: Any) -> Rehearsal:
    names = only.split() or list(JOBS)
    known: dict[str, Any] = {
        "settings": SETTINGS,
        "environment": SETTINGS.environment("production"),
        "runner": Runner({"PATH": "/bin", "LONGSHORE_PLAN_KEY": PLAN_KEY, "DOCKER_UNAME": "someone"}),
        "folder": folder,
        "event": "push",
        "branch": "main",
        "jobs": tuple(JOBS[name] for name in names),
        "by_hand": tuple(by_hand.split()),
        "roles": ROLES,
    }
    return Rehearsal(**known | given)


def steps(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("job", JOBS.values(), ids=lambda job: job.name)
def test_every_jobs_script_is_run_as_written(job: Job) -> None:
    at_gitlab, _ = rehearse_gitlab.adapted(rehearsal())
    at_github, _ = rehearse_github.adapted(rehearsal(by_hand="apply rollback"))
    assert at_gitlab[job.name]["script"] == list(job.script) == steps(at_github["jobs"][job.name])


def test_nothing_else_of_a_job_changes_at_gitlab() -> None:
    found, _ = rehearse_gitlab.adapted(rehearsal())
    written = yaml.safe_load(gitlab.render(SETTINGS))
    assert {name: found[name] for name in JOBS} == {name: written[name] for name in JOBS}
    assert found["workflow"] == written["workflow"]


def test_jobs_that_build_with_buildkit_use_this_machine_s_builder() -> None:
    with_buildkit = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, buildkit="moby/buildkit:v0.34.2-rootless"))
    found, left_out = rehearse_gitlab.adapted(rehearsal(settings=with_buildkit))
    assert found[".docker"] == {"extends": ".invoke"}
    assert "the service buildkit" in left_out


def test_what_is_left_out_is_said() -> None:
    _, at_gitlab = rehearse_gitlab.adapted(rehearsal())
    _, at_github = rehearse_github.adapted(rehearsal())
    assert "the service docker" in at_gitlab
    assert [line.split()[0] for line in at_gitlab[2:]] == [
        "pip",
        "apk",
        "machine=$(uname",
        "wget",
        "chmod",
        "python3",
        "pip",
    ]
    assert at_github[1:] == [
        "pip install --quiet --require-hashes -r requirements/nox.txt",
        "pip install --quiet --require-hashes -r requirements/dev.txt",
    ]


def test_every_job_begins_with_a_clone_of_its_own() -> None:
    found, _ = rehearse_gitlab.adapted(rehearsal())
    for base in (".nox", ".invoke"):
        assert found[base]["before_script"][0] == "sh /run/checkout.sh file:///run/origin.git"
        assert "image" not in found[base]
    assert found[".invoke"]["before_script"][1].startswith('case "$TERRAFORM_VERSION"'), "a check, and no installation"


def test_some_jobs_alone_wait_for_each_other_and_for_no_others() -> None:
    chosen = rehearsal(only="build rollout")
    at_gitlab, _ = rehearse_gitlab.adapted(chosen)
    at_github, _ = rehearse_github.adapted(chosen)
    assert set(at_gitlab) & set(JOBS) == set(at_github["jobs"]) == {"build", "rollout"}
    assert at_gitlab["rollout"]["needs"] == [{"job": "build", "artifacts": True}]
    assert (at_github["jobs"]["build"]["needs"], at_github["jobs"]["rollout"]["needs"]) == ([], ["build"])


def test_a_job_by_hand_is_started_by_somebody_or_not_at_all() -> None:
    at_github, _ = rehearse_github.adapted(rehearsal())
    assert set(JOBS) - set(at_github["jobs"]) == {"apply", "rollback"}
    assert "apply" in {job.name for job in rehearsal(by_hand="apply").started}


def test_a_variable_is_for_the_environments_that_it_is_set_for() -> None:
    found = rehearse_gitlab.scoped(rehearsal(), lambda _, claims: claims["sub"])
    assert found["AWS_ROLE_ARN"]["values"]["production/build"] == ROLES["production"]["build"]
    assert set(found["LONGSHORE_PLAN_KEY"]["values"]) == {"production/plan", "production/apply"}
    assert found["DOCKER_UNAME"]["values"] == {"*": "someone"}
    subject = "project_path:example/shop:ref_type:branch:ref:main"
    assert set(found["AWS_ID_TOKEN"]["values"].values()) == {subject}
    assert "production/none" not in found["AWS_ID_TOKEN"]["values"]


def test_each_environments_jobs_act_in_its_own_aws_by_a_token_that_it_trusts() -> None:
    given = rehearsal(settings=TWO, jobs=jobs(TWO), by_hand="rollout-production")
    at_gitlab = rehearse_gitlab.scoped(given, lambda environment, _: f"signed for {environment}")
    at_github, _ = rehearse_github.adapted(given)
    for name, scope in {"promote-production": "production/build", "rollout-staging": "staging/deploy"}.items():
        environment, role = scope.split("/")
        wanted = {"AWS_ROLE_ARN": ROLES[environment][role], "AWS_ENDPOINT_URL": ENDPOINTS[environment]}
        assert at_github["jobs"][name]["env"].items() >= wanted.items()
        assert {key: at_gitlab[key]["values"][scope] for key in wanted} == wanted
        assert at_gitlab["AWS_ID_TOKEN"]["values"][scope] == f"signed for {environment}"
    assert "AWS_ENDPOINT_URL" not in at_github["jobs"]["lint"].get("env", {}), "a job without a role reaches no AWS"
    assert "AWS_ENDPOINT_URL" not in given.env


def test_a_secret_of_the_project_is_in_neither_file() -> None:
    given = rehearsal()
    for document, _ in (rehearse_gitlab.adapted(given), rehearse_github.adapted(given, "http://127.0.0.1:1")):
        assert PLAN_KEY not in json.dumps(document)
    given.secrets()
    assert given.runner.redactor.text(f"it is {PLAN_KEY}") == "it is [redacted]"


def test_a_role_that_terraform_did_not_make_ends_the_run() -> None:
    with pytest.raises(Precondition, match="has no role plan") as refused:
        rehearse_gitlab.scoped(rehearsal(roles={"production": {}}), lambda *_: "")
    assert refused.value.hint == "`invoke infra.apply -e production` makes it"


def test_githubs_tokens_name_the_environment_and_are_for_who_has_the_jobs_secret() -> None:
    with rehearse_github.issuing(
        rehearsal(), lambda name, claims: f"{name}: {claims['sub']} {claims['aud']}", "bearer"
    ) as address:

        def ask(job: str, bearer: str) -> str:
            headers = {"Authorization": f"Bearer {bearer}"}
            with urlopen(Request(f"{address}/{job}?audience=sts.amazonaws.com", headers=headers), timeout=5) as answer:
                return str(json.load(answer)["value"])

        assert ask("build", "bearer") == "production: repo:example/shop:environment:production/build sts.amazonaws.com"
        for job, bearer in (("build", "other"), ("lint", "bearer"), ("", "bearer")):
            with pytest.raises(HTTPError, match="403"):
                ask(job, bearer)


@pytest.mark.parametrize(
    ("lines", "good"),
    [
        (["build    starting shell (build)", "build    > output", "build    finished in 2.1 s"], True),
        (["build    starting shell (build)", "build    finished in 2.15 s  FAIL 3 "], False),
        (["build    starting shell (build)", "build    finished in 2.15 s  WARN 3 "], False),  # nobody waits for it
    ],
)
def test_gitlab_ci_local_tells_how_a_job_ended(lines: list[str], good: bool) -> None:
    said: list[tuple[str, str]] = []
    progress = Progress(lambda name, what, _: said.append((name, what)))
    for line in lines:
        rehearse_gitlab.heard(line, progress)
    assert said == [("build", "begins"), ("build", "passed" if good else "failed")]
    assert progress.ended(JOBS["build"], lambda _: ["image.json"]).missing == (("image.json",) if good else ())
    assert progress.ended(JOBS["lint"], lambda _: ["x"]).result == "not run"


def test_artifacts_are_relative_to_what_their_paths_have_in_common(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan = JOBS["plan"].kept
    assert plan
    files = [path for artifact in plan.artifacts for path in artifact.paths]
    for path in map(Path, files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert artifact_store.main(["upload", "store", "plan", "error", "\n".join(files)]) == 0
    assert artifact_store.main(["download", "store", "plan", f"elsewhere/{github.passed(plan)}"]) == 0
    assert all((Path("elsewhere") / path).exists() for path in files)
    assert artifact_store.main(["upload", "store", "none", "error", "absent"]) == 1
    assert artifact_store.main(["upload", "store", "none", "warn", "absent"]) == 0
    assert artifact_store.main(["download", "store", "none", "."]) == 1


def test_github_keeps_a_folders_files_and_no_dotenv_report(tmp_path: Path) -> None:
    (tmp_path / "report.json").touch()
    kept = rehearse_github.absent
    assert kept(tmp_path, Artifact(paths=(".longshore/report",))) == []
    assert kept(tmp_path, Artifact(paths=("a/report.json", "a/other.json"))) == ["a/other.json"]
    assert kept(tmp_path, Artifact(paths=("a/deploy.env",), kind="dotenv")) == []
    assert kept(tmp_path / "nothing", Artifact(paths=(".longshore/report",))) == [".longshore/report"]
