"""What happens at GitLab and at GitHub, and the jobs that each event is to have."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.unit.pipeline.given import settings

SETTINGS = settings()
TWO = replace(SETTINGS, pipeline=replace(SETTINGS.pipeline, environments=("staging", "production")))
CHECKS = frozenset({"lint", "tests", "scan", "validate"})
BRANCH = CHECKS | {"plan"}
DELIVERY = BRANCH | {"apply", "build", "rollout"}
BY_HAND = frozenset({"apply", "rollback"})
NOTHING: frozenset[str] = frozenset()
# The image is built for the first of two environments, and the second gets what the first verified.
BY_HAND_OF_TWO = frozenset({"apply-staging", "apply-production", "rollout-production"})
BACK_OF_TWO = frozenset({"rollback-staging", "rollback-production"})
BRANCH_OF_TWO = CHECKS | {"plan-staging", "plan-production"}
DELIVERY_OF_TWO = BRANCH_OF_TWO | BY_HAND_OF_TWO | {"build-staging", "rollout-staging", "promote-production"}
OF_TWO = {BRANCH: BRANCH_OF_TWO, DELIVERY: DELIVERY_OF_TWO, DELIVERY | BY_HAND: DELIVERY_OF_TWO | BACK_OF_TWO}
OF_TWO |= {frozenset({name}): frozenset({f"{name}-staging", f"{name}-production"}) for name in ("drift", "rollback")}
PROJECT = {"CI_PROJECT_PATH": "example/shop", "CI_PROJECT_ID": "1", "CI_DEFAULT_BRANCH": "main"}
STRANGER = PROJECT | {"CI_PROJECT_PATH": "stranger/shop", "CI_PROJECT_ID": "2"}


def branch(name: str, source: str = "push", project: dict[str, str] = PROJECT, **more: str) -> dict[str, str]:
    return {**project, "CI_PIPELINE_SOURCE": source, "CI_COMMIT_BRANCH": name, **more}


def request(source_project: str = "1", project: dict[str, str] = PROJECT, **more: str) -> dict[str, str]:
    variables = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": source_project}
    return {**project, **variables, **more}


OPEN = {"CI_OPEN_MERGE_REQUESTS": "example/shop!7"}
# At GitLab all that differs between these pushes is which files they change, so no rule can tell them apart.
FILES = ("docs alone", "application alone", "k8s alone", "terraform alone", "longshore.toml alone", "the toolkit alone")
AT_GITLAB = {
    "a push to a branch": (branch("work"), BRANCH),
    "a push to a branch with an open request": (branch("work", **OPEN), NOTHING),
    "a push to the default branch": (branch("main"), DELIVERY | BY_HAND),
    "a push to the default branch while a request from it is open": (branch("main", **OPEN), DELIVERY | BY_HAND),
    "the first push ever": (branch("main", CI_COMMIT_BEFORE_SHA="0" * 40), DELIVERY | BY_HAND),
    **{f"a push to the default branch, {files}": (branch("main"), DELIVERY | BY_HAND) for files in FILES},
    **{f"a push to a branch, {files}": (branch("work"), BRANCH) for files in FILES},
    "a fix in the tests after a push to the application that failed": (branch("main"), DELIVERY | BY_HAND),
    "a request of the project's own branch": (request(), BRANCH),
    "a request from the default branch": (request(CI_MERGE_REQUEST_SOURCE_BRANCH_NAME="main"), BRANCH),
    "a fork's request that runs in the project": (request("2"), CHECKS),
    "a fork's request that runs in the fork": (request("2", STRANGER), CHECKS),
    "a push to a branch of a fork": (branch("work", project=STRANGER), CHECKS),
    "a push to the default branch of a fork": (branch("main", project=STRANGER), CHECKS),
    "the schedule": (branch("main", "schedule"), frozenset({"drift"})),
    "a schedule of a fork": (branch("main", "schedule", STRANGER), NOTHING),
    "a schedule on a branch": (branch("work", "schedule"), frozenset({"drift"})),
    "a person, on the default branch": (branch("main", "web"), DELIVERY | BY_HAND),
    "a person, on a branch": (branch("work", "web"), BRANCH),
    "the API, on the default branch": (branch("main", "api"), DELIVERY | BY_HAND),
    "the API, on a branch": (branch("work", "api"), BRANCH),
    "a trigger token, on the default branch": (branch("main", "trigger"), DELIVERY | BY_HAND),
    "a tag": ({**PROJECT, "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1"}, NOTHING),
    "an old pipeline that is run again": (branch("main", CI_COMMIT_SHA="1" * 40), DELIVERY | BY_HAND),
}


def context(name: str, ref: str = "refs/heads/main", repository: str = "example/shop", **inputs: str) -> Any:
    event = {"repository": {"default_branch": "main"}}
    return name, {
        "github": {"event_name": name, "ref": ref, "repository": repository, "event": event},
        "inputs": inputs,
    }


WORK, REQUEST, FORK = "refs/heads/work", "refs/pull/7/merge", "stranger/shop"
AT_GITHUB = {
    "a push to a branch": (context("push", WORK), BRANCH),
    "a push to the default branch": (context("push"), DELIVERY),
    "the first push ever": (context("push"), DELIVERY),
    **{f"a push to the default branch, {files}": (context("push"), DELIVERY) for files in FILES},
    **{f"a push to a branch, {files}": (context("push", WORK), BRANCH) for files in FILES},
    "a fix in the tests after a push to the application that failed": (context("push"), DELIVERY),
    "a request of the project's own branch": (context("pull_request", REQUEST), CHECKS),
    "a request from the default branch": (context("pull_request", REQUEST), CHECKS),
    "a fork's request": (context("pull_request", REQUEST), CHECKS),
    "a request within the fork": (context("pull_request", REQUEST, FORK), CHECKS),
    "a push to a branch of a fork": (context("push", WORK, FORK), CHECKS),
    "a push to the default branch of a fork": (context("push", repository=FORK), CHECKS),
    "the schedule": (context("schedule"), frozenset({"drift"})),
    "a schedule of a fork": (context("schedule", repository=FORK), NOTHING),
    "a person, on the default branch": (context("workflow_dispatch", do="deploy"), DELIVERY),
    "a person, on a branch": (context("workflow_dispatch", WORK, do="deploy"), BRANCH),
    "a person who wants to go back": (context("workflow_dispatch", do="rollback"), frozenset({"rollback"})),
    "a person who wants to go back, on a branch": (context("workflow_dispatch", WORK, do="rollback"), NOTHING),
    "a tag": (context("push", "refs/tags/v1"), NOTHING),
    "an event that the workflow does not name": (context("issues"), NOTHING),
}
