"""The argv of the programs that run a pipeline here."""

from __future__ import annotations

from pathlib import Path

from longshore.commands import pipelines

RUN, HOME = Path("/run/project"), Path("/run/home")


def test_gitlab_ci_local_gives_each_job_a_folder_and_takes_what_it_does_not_know() -> None:
    command = pipelines.gitlab_ci_local(
        RUN, HOME, {"GITLAB_CI": "true"}, {"HOME": "/run/home"}, unset=["CI_COMMIT_BRANCH"], by_hand=["apply"]
    )
    assert command.argv == (
        *("gitlab-ci-local", "--home=/run/home", "--force-shell-executor", "--shell-isolation"),
        *("--no-artifacts-to-source", "--no-color", "--ignore-predefined-vars=GITLAB_CI,CI_COMMIT_BRANCH"),
        *("--unset-variable", "CI_COMMIT_BRANCH", "--variable", "GITLAB_CI=true", "--manual", "apply"),
    )
    assert command.cwd == RUN


def test_act_runs_on_this_machine_with_actions_from_it() -> None:
    command = pipelines.act(RUN, Path("/run/w.yml"), "push", Path("/run/e.json"), HOME, {"a/b@c": Path("/run/b")}, {})
    assert command.argv == (
        *("act", "push", "--directory=/run/project", "--workflows=/run/w.yml", "--eventpath=/run/e.json", "--json"),
        *("--platform=ubuntu-latest=-self-hosted", "--no-skip-checkout", "--no-cache-server", "--pull=false"),
        *("--container-daemon-socket=-", "--secret-file=/run/home/secrets", "--env-file=/run/home/env"),
        *("--action-cache-path=/run/home/act", "--local-repository=a/b@c=/run/b"),
    )
