"""A pipeline of the generated files, run on this machine by the program that stands for the provider.

The program decides which jobs an event has and in which order they run, and runs their scripts as written. What a
provider has and it has not is made up for here: each job has its own fresh clone, as deep as it asks for, of a
repository of the run's own; gets the artifacts that it receives and no others; and acts in AWS by a token that says
which job it is.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from longshore.commands import git
from longshore.errors import Precondition, StepFailed
from longshore.files import private_folder
from longshore.pipeline.model import Artifact, Job
from longshore.pipeline.variables import variables
from longshore.process import left
from longshore.process.command import Command, Secret
from longshore.process.runner import Runner
from longshore.settings.model import Environment, Settings

Sign = Callable[[str, Mapping[str, str | int]], str]  # claims as a token that the AWS of an environment trusts
GRACE = 60.0  # seconds for a job that is cancelled: Terraform must leave its lock
NONE = "the event may have none of these jobs; what the program printed is above"
# What makes a job's machine ready at the provider. Here this machine's own programs are used.
INSTALLS = ("apk ", "machine=", "wget ", "chmod ", "pip install ", "python3 -m venv ")
# As a provider's runner does it: everybody may write what is checked out.
CHECKOUT = """\
set -eu
umask 0000
rm -rf .git
git init --quiet
git remote add origin "$1"
depth="${{GIT_DEPTH:-{depth}}}"
[ "$depth" = 0 ] || set -- "$@" "--depth=$depth"
shift
git fetch --quiet --no-tags "$@" origin '+refs/heads/{branch}:refs/remotes/origin/{branch}'
git checkout --quiet --force --detach 'refs/remotes/origin/{branch}'
"""
REQUESTS = ("merge_request", "closed")  # events of a merge request


class Ended(Struct, frozen=True, kw_only=True):
    """How a job ended: `start` and `seconds` since the run began and the job did; `missing` are declared artifacts."""

    name: str
    result: Literal["passed", "failed", "not run"]
    start: float = 0.0
    seconds: float = 0.0
    missing: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.result != "failed" and not self.missing


class Rehearsal(Struct, frozen=True, kw_only=True):
    """One run of the JOBS of a pipeline for `environment`, and others after it, in `folder`, which is its own.

    `settings` are those of a pipeline that deploys there. `event` is why it starts, on `branch`. `by_hand` are the jobs
    that a person would start. `roles` has the ARN of each role by environment.
    """

    settings: Settings
    environment: Environment
    runner: Runner
    folder: Path
    event: str
    branch: str
    jobs: tuple[Job, ...]
    by_hand: tuple[str, ...]
    roles: Mapping[str, Mapping[str, str]]

    @property
    def origin(self) -> Path:
        """The repository that the jobs clone."""
        return self.folder / "origin.git"

    @property
    def project(self) -> Path:
        """What the program takes for the project: a clone without files."""
        return self.folder / "project"

    @property
    def home(self) -> Path:
        """The home of the jobs, which has the variables of the project and nothing else; gone after the run."""
        return self.folder / "home"

    def log(self, job: str) -> Path:
        """Where what JOB prints is kept."""
        return self.folder / "output" / f"{job}.log"

    @property
    def started(self) -> tuple[Job, ...]:
        """The jobs without those that wait for a person who does not come."""
        return tuple(job for job in self.jobs if not job.by_hand or job.name in self.by_hand)

    def prepare(self, url: str, checkout: str) -> None:
        """Make the folder anew: the repository, and a clone that was cloned from URL, to all appearances.

        CHECKOUT are the depths of a clone where a job says none.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        private_folder(self.folder)
        default, run = self.environment.branch, self.runner.run
        run(git.create(self.origin))
        run(git.copy_commit(self.origin, self.settings.root, *dict.fromkeys((default, self.branch))))
        (self.origin / "HEAD").write_text(f"ref: refs/heads/{default}\n", encoding="utf-8")
        run(git.clone(self.origin, self.project, self.branch))
        run(git.call_remote(self.project, url))
        private_folder(self.home)
        private_folder(self.folder / "output")
        script = CHECKOUT.format(depth=checkout, branch=self.branch)
        (self.folder / "checkout.sh").write_text(script, encoding="utf-8")

    @property
    def checkout(self) -> str:
        """What a job runs to have its clone in the folder that it is in."""
        return f"sh {self.folder / 'checkout.sh'} {self.origin.as_uri()}"

    @property
    def env(self) -> dict[str, str]:
        """The variables of every job. This program's own Python and tools come first."""
        path = f"{Path(sys.executable).parent}:{self.runner.environ.get('PATH', '')}"
        host = self.settings.host
        places = {"XDG_CACHE_HOME": host.cache, "XDG_CONFIG_HOME": host.config, "XDG_STATE_HOME": host.state}
        return {
            **{name: str(folder) for name, folder in places.items()},
            "PATH": path,
            "HOME": str(self.home),
            "LONGSHORE_CHECKOUT": str(self.settings.root),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def perform(self, command: Command, heard: Callable[[str], None], progress: Progress) -> None:
        """Run COMMAND, the program; HEARD gets what it prints. Raises ToolMissing, StepFailed if it starts no job."""
        try:
            done = self.runner.run(command, on_line=heard, check=False)
        finally:  # act, when it is ended, leaves its jobs to themselves
            left.end("HOME", str(self.home), GRACE)
        if done.exit_code and not progress.begun:
            raise StepFailed(f"{command.program} started no job of this pipeline", detail=done.tail, hint=NONE)

    def aws(self, job: Job) -> dict[str, str]:
        """Return what leads JOB to AWS, as its role. Raises Precondition where Terraform made no such role."""
        if job.role not in self.roles[job.environment]:
            hint = f"`invoke infra.apply -e {job.environment}` makes it"
            raise Precondition(f"ci_role_arns of {job.environment} has no role {job.role}", hint=hint)
        places = dict.fromkeys(
            ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"), self.settings.environment(job.environment).endpoint_url
        )
        return {"AWS_ROLE_ARN": self.roles[job.environment][job.role], **places}

    def secrets(self) -> dict[str, dict[str, str]]:
        """Return the values of the project's variables that this shell has, by name and by scope (`*` for all jobs)."""
        found: dict[str, dict[str, str]] = {}
        for variable in variables(self.settings):
            value = self.runner.environ.get(variable.name)
            if value and variable.name != "AWS_ROLE_ARN":
                self.runner.redactor.add(*([Secret(value)] if variable.secret else []))
                found[variable.name] = dict.fromkeys(variable.scopes or ("*",), value)
        return found


class Progress:
    """What is known of the jobs while they run. SAY is told when one begins or ends, TICK called while they print."""

    def __init__(self, say: Callable[[str, str, float], None], tick: Callable[[], None] = lambda: None) -> None:
        self.tick = tick
        self._say, self._began = say, time.monotonic()
        self._starts: dict[str, float] = {}
        self._ends: dict[str, tuple[bool, float]] = {}

    @property
    def begun(self) -> bool:
        """Whether any job has begun."""
        return bool(self._starts)

    def begin(self, name: str) -> None:
        if name not in self._starts:
            self._starts[name] = time.monotonic() - self._began
            self._say(name, "begins", 0.0)

    def end(self, name: str, *, good: bool) -> None:
        if name in self._starts and name not in self._ends:
            self._ends[name] = (good, time.monotonic() - self._began)
            self._say(name, "passed" if good else "failed", self._ends[name][1] - self._starts[name])

    def ended(self, job: Job, absent: Callable[[Artifact], list[str]]) -> Ended:
        """Return how JOB ended. ABSENT returns what is not there of an artifact that it should have left."""
        if job.name not in self._starts:
            return Ended(name=job.name, result="not run")
        start, (good, end) = self._starts[job.name], self._ends.get(job.name, (False, time.monotonic() - self._began))
        declared = job.kept.artifacts if job.kept and good else ()
        missing = tuple(path for artifact in declared for path in absent(artifact))
        passed: Literal["passed", "failed"] = "passed" if good else "failed"
        return Ended(name=job.name, result=passed, start=start, seconds=end - start, missing=missing)
