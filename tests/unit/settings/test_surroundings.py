"""What the environment variables say of the job and of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.process.command import Secret
from longshore.settings.host import Host
from longshore.settings.job import Job


def test_a_laptop_is_no_job_but_has_a_user() -> None:
    job = Job.read({"LOGNAME": "ada"})
    assert job == Job(actor="ada")
    assert Job.read({}).actor


def test_a_gitlab_job_says_who_started_it_and_for_what() -> None:
    job = Job.read(
        {
            "CI": "true",
            "GITLAB_CI": "true",
            "CI_COMMIT_REF_PROTECTED": "true",
            "CI_COMMIT_SHA": "4f2a9c1",
            "GITLAB_USER_LOGIN": "grace",
            "LOGNAME": "root",
            "CI_JOB_URL": "https://gitlab.example/-/jobs/7",
        }
    )
    assert job == Job(
        in_ci=True,
        provider="gitlab",
        protected_ref=True,
        commit="4f2a9c1",
        actor="grace",
        url="https://gitlab.example/-/jobs/7",
    )


def test_a_github_job_says_who_started_it_and_for_what() -> None:
    variables = {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SHA": "a" * 40, "GITHUB_ACTOR": "ada"}
    run = {"GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "o/shop", "GITHUB_RUN_ID": "7"}
    files = {"GITHUB_OUTPUT": "/tmp/out", "GITHUB_STEP_SUMMARY": "/tmp/page", "GITHUB_REF_PROTECTED": "true"}
    assert Job.read({**variables, **run, **files, "USER": "runner"}) == Job(
        provider="github",
        in_ci=True,
        protected_ref=True,
        commit="a" * 40,
        actor="ada",
        url="https://github.example/o/shop/actions/runs/7",
        outputs=Path("/tmp/out"),
        summary=Path("/tmp/page"),
    )


@pytest.mark.parametrize(
    ("variables", "branch"),
    [
        ({"GITLAB_CI": "true", "CI_COMMIT_REF_NAME": "work"}, "work"),
        ({"GITLAB_CI": "true", "CI_COMMIT_REF_NAME": "x", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "work"}, "work"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "work", "GITHUB_HEAD_REF": ""}, "work"),
        ({"GITHUB_ACTIONS": "true", "GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "work"}, "work"),
        ({}, ""),
    ],
)
def test_a_job_of_a_merge_request_is_about_the_branch_that_would_be_merged(
    variables: dict[str, str], branch: str
) -> None:
    assert Job.read(variables).branch == branch


def test_a_job_of_a_merge_request_knows_its_number() -> None:
    assert Job.read({"GITLAB_CI": "true", "CI_MERGE_REQUEST_IID": "7"}).request == "7"
    merged = {"GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main"}  # so it is once a request was merged
    assert Job.read({"GITHUB_ACTIONS": "true", "LONGSHORE_REQUEST": "7", **merged}).request == "7"


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_ci_may_be_switched_off(value: str) -> None:
    assert not Job.read({"CI": value}).in_ci


def test_a_users_folders_are_below_home_unless_told_otherwise() -> None:
    host = Host.read({"HOME": "/home/ada"})
    assert (host.config, host.cache) == (Path("/home/ada/.config"), Path("/home/ada/.cache"))
    assert (host.state, host.docker_config) == (Path("/home/ada/.local/state"), Path("/home/ada/.docker"))
    assert host.terraform_config == Path("/home/ada/.terraformrc")
    elsewhere = Host.read({"HOME": "/home/ada", "XDG_STATE_HOME": "/state", "DOCKER_CONFIG": "/docker"})
    assert (elsewhere.state, elsewhere.docker_config) == (Path("/state"), Path("/docker"))


def test_credentials_of_the_machine_have_no_readable_form() -> None:
    host = Host.read(
        {
            "DOCKER_UNAME": "ada",
            "DOCKER_PWORD": "word-of-seed",
            "LONGSHORE_PLAN_KEY": "key-of-seed",
            "PIP_INDEX_URL": "https://ada:word-of-seed@pypi.example/simple",  # pragma: allowlist secret
        }
    )
    assert host.docker_hub == Secret("ada:word-of-seed")
    assert host.plan_key == Secret("key-of-seed")
    assert "of-seed" not in repr(host)


def test_half_a_login_is_none() -> None:
    assert Host.read({"DOCKER_UNAME": "ada"}).docker_hub is None
