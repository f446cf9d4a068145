"""The jobs, and that both renderings say the same of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from longshore.errors import BadInput
from longshore.pipeline import deadlines, files, github, gitlab, variables
from longshore.pipeline.jobs import STAGES, jobs
from longshore.pipeline.model import Job, Role
from longshore.settings import load
from longshore.settings.model import Settings
from tests.unit.pipeline.given import BASE, settings

SETTINGS = settings()
JOBS = jobs(SETTINGS)


def chain(*environments: str) -> Settings:
    return replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, environments=environments))


TWO = chain("staging", "production")
THREE = chain("staging", "preview", "production")
CHANGING = ("apply", "build", "rollout", "rollback")


def at_gitlab(settings: Settings = SETTINGS) -> dict[str, Any]:
    return dict(yaml.safe_load(gitlab.render(settings)))


def at_github(settings: Settings = SETTINGS) -> dict[str, Any]:
    return dict(yaml.safe_load(github.render(settings))["jobs"])


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_script_is_of_nox_or_invoke_and_needs_no_shell(job: Job) -> None:
    assert job.script
    for line in job.script:
        assert line.startswith(("nox -s ", "invoke "))
        assert not set(line) & set(";&|`$<>\"'\\")


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_both_run_the_same_commands_with_the_same_time(job: Job) -> None:
    here, there = at_gitlab()[job.name], at_github()[job.name]
    steps = [step["run"] for step in there["steps"] if "run" in step]
    assert here["script"] == list(job.script) == steps[-len(job.script) :]
    assert here.get("timeout", "20 minutes") == f"{there['timeout-minutes']} minutes"


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_only_a_job_with_a_role_gets_a_token_and_an_environment(job: Job) -> None:
    here, there = at_gitlab()[job.name], at_github()[job.name]
    with_role = job.role is not Role.NONE
    assert ("id_tokens" in here, "environment" in here) == (with_role, with_role)
    assert (there.get("permissions", {}).get("id-token"), "environment" in there) == (
        "write" if with_role else None,
        with_role,
    )
    if with_role:
        assert here["environment"]["name"] == there["environment"]["name"] == f"production/{job.role}"


def test_githubs_jobs_have_no_other_permission() -> None:
    assert yaml.safe_load(github.render(SETTINGS))["permissions"] == {"contents": "read"}
    for name, job in at_github().items():
        scanned = name in ("lint", "scan")  # their findings go to code scanning
        allowed = {"actions", "contents", "security-events"} if scanned else {"contents", "id-token"}
        assert set(job.get("permissions", {})) <= allowed, name


def test_every_action_is_pinned_by_its_commit() -> None:
    uses = [step["uses"] for job in at_github().values() for step in job["steps"] if "uses" in step]
    assert uses
    assert all(re.fullmatch(r"[\w-]+/[\w-]+(/[\w-]+)?@[0-9a-f]{40}", use) for use in uses)


@pytest.mark.parametrize("settings", [SETTINGS, TWO], ids=["one", "two"])
def test_a_need_is_a_job_of_an_earlier_or_the_same_stage(settings: Settings) -> None:
    found = jobs(settings)
    stages = {job.name: STAGES.index(job.stage) for job in found}
    for job in found:
        assert all(stages[need] <= stages[job.name] for need in job.needs)
        assert set(job.receives) <= set(job.needs)


@pytest.mark.parametrize("name", CHANGING)
def test_what_changes_production_runs_alone_and_to_its_end(name: str) -> None:
    here, there = at_gitlab()[name], at_github()[name]
    assert (here["resource_group"], here["interruptible"], here["retry"]) == ("production", False, 0)
    assert there["concurrency"]["cancel-in-progress"] is False


@pytest.mark.parametrize("name", [name for name, one in SETTINGS.environments.items() if one.local is None])
def test_no_rollout_is_stopped_before_its_deadlines(name: str) -> None:
    environment = SETTINGS.environment(name)
    once = environment.rollout_deadline + environment.verify_deadline
    longest = environment.lease_wait + 2 * environment.hook_deadline + environment.prove + environment.bake + 2 * once
    (job,) = [job for job in jobs(chain(name)) if job.name == "rollout"]
    assert job.minutes * 60 >= longest + 300
    assert job.minutes == deadlines.rollout(environment)


def test_a_canary_takes_its_time_in_each_step() -> None:
    environment = SETTINGS.environment("production")
    longer = replace(environment, canary=["10%", "50%"])
    assert deadlines.rollout(longer) * 60 >= deadlines.rollout(environment) * 60 + 2 * environment.bake


def test_a_plan_is_kept_for_a_day_and_not_for_guests() -> None:
    artifacts = at_gitlab()["plan"]["artifacts"]
    assert (artifacts["access"], artifacts["expire_in"]) == ("developer", "1 day")
    assert any(path.endswith(".tfplan") for path in artifacts["paths"])


@pytest.mark.parametrize(
    ("settings", "name", "receiver"),
    [
        (SETTINGS, "plan", "apply"),
        (SETTINGS, "build", "rollout"),
        (TWO, "build-staging", "rollout-staging"),
        (TWO, "rollout-staging", "promote-production"),
        (TWO, "promote-production", "rollout-production"),
    ],
)
def test_what_github_hands_on_arrives_where_it_was(settings: Settings, name: str, receiver: str) -> None:
    written = at_github(settings)
    (upload,) = [step["with"] for step in written[name]["steps"] if "upload-artifact" in step.get("uses", "")]
    (download,) = [step["with"] for step in written[receiver]["steps"] if "download-artifact" in step.get("uses", "")]
    paths = upload["path"].split()
    assert upload["include-hidden-files"] is True, "all of them are below .longshore"
    assert upload["name"] == download["name"] == name
    assert all(path.startswith(f"{download['path']}/") for path in paths)
    assert len(paths) == 1 or len({path.removeprefix(download["path"]).split("/")[1] for path in paths}) > 1


def test_without_a_project_they_run_in_any() -> None:
    nowhere = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, gitlab="", github=""))
    assert "CI_PROJECT_PATH" not in gitlab.render(nowhere)
    assert "github.repository " not in github.render(nowhere)


def test_several_environments_are_a_chain_whose_last_link_a_person_starts() -> None:
    found = {job.name: job for job in jobs(TWO)}
    assert "rollout-staging" in found["promote-production"].needs
    assert not found["rollout-staging"].by_hand
    assert found["rollout-production"].by_hand
    assert {"plan-staging", "drift-production", "apply-staging", "rollback-production"} <= set(found)


def test_an_image_is_built_once_and_each_next_environment_gets_what_the_one_before_it_verified() -> None:
    with_preview = replace(
        THREE, environments={**THREE.environments, "preview": replace(THREE.environment("staging"), name="preview")}
    )
    found = {job.name: job for job in jobs(with_preview)}
    assert [name for name, job in found.items() if job.role is Role.BUILD] == [
        "build-staging",
        "promote-preview",
        "promote-production",
    ]
    handed_on = {"preview": "staging", "production": "preview"}
    for name, earlier in handed_on.items():
        promote, rollout = found[f"promote-{name}"], found[f"rollout-{name}"]
        assert promote.script == (f"invoke image.promote --from {earlier} -e {name} --from-job",)
        assert rollout.script == (f"invoke promote --from {earlier} -e {name} --from-job",)
        assert (promote.scope, rollout.scope) == (f"{name}/build", f"{name}/deploy")
        assert (promote.receives, rollout.receives) == ((f"rollout-{earlier}",), (promote.name,))
        for job in (found[f"rollout-{earlier}"], promote):
            assert job.kept
            paths = [path for artifact in job.kept.artifacts for path in artifact.paths]
            assert f".longshore/environments/{earlier}/verified.json" in paths
    assert "docker:28-dind" in gitlab.render(with_preview)
    written = at_gitlab(with_preview)
    assert {written[name]["extends"] for name in found if name.startswith("promote")} == {".invoke"}
    assert written["promote-production"]["environment"] == {"name": "production/build", "action": "prepare"}


ROOTLESS = "moby/buildkit:v0.34.2-rootless"


@pytest.mark.parametrize("image", ["", "registry.example.com/shop/ci@sha256:" + "1" * 64])
def test_a_build_without_a_privileged_runner_asks_a_rootless_buildkit(image: str) -> None:
    pipeline = replace(SETTINGS.pipeline, buildkit=ROOTLESS, image=image)
    found, usual = (
        at_gitlab(replace(SETTINGS, pipeline=pipeline)),
        at_gitlab(replace(SETTINGS, pipeline=replace(pipeline, buildkit=""))),
    )
    base = found.pop(".docker")
    (service,) = base["services"]
    assert (service["name"], service["alias"]) == (ROOTLESS, "buildkit")
    assert service["command"] == ["--addr=tcp://0.0.0.0:1234", "--oci-worker-no-process-sandbox"]
    assert base["variables"] == {"FF_NETWORK_PER_BUILD": "1"}, "no other job reaches it"
    tools = usual[".invoke"].get("before_script", [])
    assert base["before_script"] == [
        *tools,
        "docker buildx create --use --bootstrap --driver=remote tcp://buildkit:1234",
    ]
    del usual[".docker"]
    assert found == usual
    assert "dind" not in gitlab.render(replace(SETTINGS, pipeline=pipeline))


def test_without_environments_a_pipeline_only_checks() -> None:
    assert [job.name for job in jobs(chain())] == ["lint", "tests", "scan", "validate"]


def test_a_difference_names_the_file_and_the_line(tmp_path: Path) -> None:
    for path, text in files.rendered(SETTINGS).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    edited = tmp_path / ".gitlab-ci.yml"
    edited.write_text(edited.read_text().replace("    - nox -s lint\n", "    - nox -s lint || true\n"))
    text = files.difference(SETTINGS, tmp_path)
    assert "-    - nox -s lint || true\n+    - nox -s lint" in text
    assert "longshore.yml" not in text
    edited.unlink()
    assert "+lint:" in files.difference(SETTINGS, tmp_path)


def test_every_variable_has_a_scope_that_a_job_has() -> None:
    scopes = {job.scope for job in JOBS if job.role is not Role.NONE}
    needed = variables.variables(SETTINGS)
    assert {scope for variable in needed for scope in variable.scopes} == scopes
    roles = {variable.scopes: variable.protected for variable in needed if variable.name == "AWS_ROLE_ARN"}
    assert roles[("production/plan",)] is False, "branches are planned, too"
    assert all(roles[(scope,)] for scope in scopes - {"production/plan"})
    assert [variable.name for variable in needed if variable.secret] == [
        "LONGSHORE_PLAN_KEY",
        "LONGSHORE_NOTES_TOKEN",
        "LONGSHORE_RESULTS_KEY",
        "DOCKER_PWORD",
    ]


def test_github_sets_no_variable_that_nobody_is_told_of() -> None:
    told = {variable.name for variable in variables.variables(SETTINGS)}
    for name, job in at_github().items():
        assert set(job.get("env", {})) <= told, name


def test_the_coverage_that_gitlab_shows_is_the_services_alone() -> None:
    pattern = at_gitlab()["tests"]["coverage"].strip("/")
    log = (
        "10:00:00 ✔ test-toolkit       62.1 s  1155 tests, 97% covered\n"
        "10:00:01 ✔ test-service        4.2 s  36 tests, 99% covered\n"
        "TOTAL   2389   74   484   23   96%\n"
        "10:00:02 ✔ test-rollout       61.0 s  389 tests, 96% covered\n"
    )
    assert re.findall(pattern, log) == ["99"]
    assert at_gitlab()["tests"]["artifacts"]["reports"]["coverage_report"]["path"].endswith("coverage-service.xml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("python", '3.11"\nevil: "'),
        ("python", "3 {{x}}"),
        ("terraform", "$(id)"),
        ("drift", '* * * * "*'),
        ("gitlab", "a b; rm"),
        ("github", "owner"),
        ("environments", ["production", "production"]),
        ("providers", ["gitlab", "gitlab"]),
    ],
)
def test_nothing_reaches_the_files_that_is_not_what_its_key_says(tmp_path: Path, key: str, value: object) -> None:
    (tmp_path / "longshore.toml").write_text(f"{BASE.read_text()}\n[pipeline]\n{key} = {json.dumps(value)}\n")
    with pytest.raises(BadInput, match=f"pipeline.{key}"):
        load.load(tmp_path, {})


def test_a_file_that_is_no_text_differs_like_any_other(tmp_path: Path) -> None:
    (tmp_path / ".gitlab-ci.yml").write_bytes(b"\xff\xfe\n")
    assert "+lint:" in files.difference(SETTINGS, tmp_path)
