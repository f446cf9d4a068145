"""A rehearsal by gitlab-ci-local, which stands for GitLab and one runner of it with a shell."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from longshore.commands import pipelines
from longshore.files import write_atomically
from longshore.pipeline import gitlab
from longshore.pipeline.model import Artifact, Role
from longshore.pipeline.rehearsal import INSTALLS, REQUESTS, Ended, Progress, Rehearsal, Sign

URL = "https://gitlab.com"  # Terraform's `gitlab_url`
DEPTH = 20  # GitLab's own, where a job does not set GIT_DEPTH
PROGRAMS = {"gitlab-ci-local": "`npm install --global gitlab-ci-local@4.73.0`", "rsync": "`apt-get install rsync`"}
# A failed job has FAIL or, if nobody waits for it, WARN and the exit code.
STARTED, FINISHED = (re.compile(r"^(\S+) +starting shell "), re.compile(r"^(\S+) +finished in .*?( [A-Z]{4} \d+)?\s*$"))
# Without a number, so that no note reaches whoever has one of that number there.
REQUEST = {"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1217", "CI_PROJECT_ID": "1217"}


def path(rehearsal: Rehearsal) -> str:
    """Return the project's path at GitLab."""
    settings = rehearsal.settings
    return settings.pipeline.gitlab or f"{settings.project.name}/{settings.project.name}"


def adapted(rehearsal: Rehearsal) -> tuple[dict[str, Any], list[str]]:
    """Return the pipeline as it can run here, and what of it was left out."""
    import yaml

    document: dict[str, Any] = yaml.safe_load(gitlab.render(rehearsal.settings))
    left_out = [
        "the jobs' images",
        *([f"the service {service['alias']}" for service in document.get(".docker", {}).get("services", ())]),
    ]
    for base in (name for name in document if name.startswith(".")):
        lines = document[base].get("before_script", [])
        left_out += [line for line in lines if line.startswith(INSTALLS) and line not in left_out]
        kept = [line for line in lines if not line.startswith(INSTALLS)]
        document[base] = {"before_script": [rehearsal.checkout, *kept]}
    if ".docker" in document:
        document[".docker"] = {"extends": ".invoke"}
    every = {name for name, job in document.items() if isinstance(job, dict) and "script" in job}
    chosen = {job.name for job in rehearsal.jobs}
    for name in every - chosen:
        del document[name]
    for name in chosen:
        document[name]["needs"] = [need for need in document[name]["needs"] if need["job"] in chosen]
    return document, left_out


def scoped(rehearsal: Rehearsal, sign: Sign) -> dict[str, dict[str, Any]]:
    """Return the variables of the project by name and environment. GitLab gives a token to jobs of these alone."""
    subject = f"project_path:{path(rehearsal)}:ref_type:branch:ref:{rehearsal.branch}"
    values = rehearsal.secrets()
    for job in rehearsal.jobs:
        if job.role is not Role.NONE:
            token = sign(job.environment, {"aud": URL, "sub": subject})
            for name, value in {**rehearsal.aws(job), "AWS_ID_TOKEN": token}.items():
                values.setdefault(name, {})[gitlab.scope(job)] = value
    return {name: {"type": "variable", "values": scopes} for name, scopes in values.items()}


def run(rehearsal: Rehearsal, sign: Sign, progress: Progress) -> list[Ended]:
    """Run the pipeline. Raises as `perform` does; a job that fails is no exception."""
    rehearsal.prepare(f"git@{URL.removeprefix('https://')}:{path(rehearsal)}.git", str(DEPTH))
    document, _ = adapted(rehearsal)
    project, home = rehearsal.project, rehearsal.home
    (project / gitlab.FILE).write_text(json.dumps(document, indent=1), encoding="utf-8")
    write_atomically(
        home / ".gitlab-ci-local" / "variables.yml", json.dumps({"global": scoped(rehearsal, sign)}), 0o600
    )
    source = "merge_request_event" if rehearsal.event in REQUESTS else rehearsal.event
    protected = rehearsal.branch == rehearsal.environment.branch and rehearsal.event not in REQUESTS
    variables = {
        "GITLAB_CI": "true",
        "GITLAB_USER_LOGIN": rehearsal.settings.job.actor,
        "CI_PIPELINE_SOURCE": source,
        "CI_COMMIT_REF_PROTECTED": "true" if protected else "false",
        **(REQUEST if rehearsal.event in REQUESTS else {}),
    }
    unset = ("CI_COMMIT_BRANCH",) if rehearsal.event in REQUESTS else ()
    by_hand = [job.name for job in rehearsal.started if job.by_hand or job.name in rehearsal.by_hand]

    command = pipelines.gitlab_ci_local(project, home, variables, rehearsal.env, unset=unset, by_hand=by_hand)
    rehearsal.perform(command, partial(heard, progress=progress), progress)
    state = project / ".gitlab-ci-local"
    for log in (state / "output").glob("*.log"):
        log.rename(rehearsal.log(log.stem))
    return [progress.ended(job, partial(_absent, state / "builds" / job.name)) for job in rehearsal.started]


def heard(line: str, progress: Progress) -> None:
    """Take note of what a LINE of gitlab-ci-local's says of a job."""
    progress.tick()
    if found := STARTED.match(line):
        progress.begin(found[1])
    elif found := FINISHED.match(line):
        progress.end(found[1], good=not found[2])


def _absent(clone: Path, artifact: Artifact) -> list[str]:
    return [path for path in artifact.paths if not (clone / path).exists()]
