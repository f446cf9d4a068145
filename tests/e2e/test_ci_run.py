"""Pipelines on the local cloud, run by gitlab-ci-local and by act: every job in its own clone and as its own role."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Job
from longshore.settings.load import load
from tests import pipeline_tools
from tests.e2e import recorder
from tests.e2e.processes import descendants
from tests.e2e.project import Project, Ran, git
from tests.e2e.reviewed import locked
from tests.spelling import leaked

PUSHED = ["lint", "tests", "scan", "validate", "plan", "build", "rollout"]
DELIVERY = ["validate", "plan", "build", "rollout"]
CALL = re.compile(r" iam arn:aws:sts::\d+:assumed-role/shop-\w+-ci-(\w+)/\S+ (\S+) \S+$", re.MULTILINE)
READS = re.compile(r"\w+:(Describe|Get|List|View|Head)")
SECRETS = {
    "LONGSHORE_PLAN_KEY": Fernet.generate_key().decode(),
    **{name: secrets.token_urlsafe(24) for name in ("LONGSHORE_NOTES_TOKEN", "LONGSHORE_RESULTS_KEY", "DOCKER_PWORD")},
}
TOKEN = base64.b64encode(b'{"alg": "RS256", "typ"').decode()[:20]  # how every identity token of ours begins
CLONE = r"/\S+?/(?:builds/[\w-]+|hostexecutor)"  # where a job is, at gitlab-ci-local and at act
PROMPT = 5.0  # seconds until what watches over the ended command's programs is gone, too
DAYLIGHT = 1200  # seconds for a whole pipeline on a busy machine


@dataclass
class Pipelines:
    """The project's pipelines, and what the local AWS logged of the last run."""

    project: Project
    path: str
    before: set[str]
    calls: list[tuple[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def run(self, provider: str, *words: str, check: bool = True) -> Ran:
        for record in self.records.glob(f"{provider}-*"):
            record.unlink()
        last = self._requests().rstrip("\n").rpartition("\n")[2]
        options = ("-e", self.project.name, f"--provider={provider}", "--json", *words)
        environ = {"PATH": self.path, "DOCKER_UNAME": "someone", **SECRETS}
        ran = self.project.invoke("ci.run", *options, deadline=DAYLIGHT, check=check, **environ)
        text = self._requests().rpartition(f"{last}\n")[2]
        self.calls = CALL.findall(text)
        self.refused = [line for line in text.splitlines() if " iam refused " in line and "-ci-" in line]
        return ran

    def _requests(self) -> str:
        """The local AWS's log, with what it has put aside when it grew."""
        log = self.project.state() / "aws" / "requests.log"
        return "".join(file.read_text() for file in (log.with_name("requests.log.1"), log) if file.exists())

    @property
    def records(self) -> Path:
        return self.project.folder / recorder.FOLDER

    def folder(self, provider: str) -> Path:
        return self.project.folder / ".longshore" / "rehearsal" / provider

    def clone(self, job: str) -> Path:
        """The folder in which gitlab-ci-local ran JOB."""
        return self.folder("gitlab") / "project" / ".gitlab-ci-local" / "builds" / job

    def logs(self, provider: str) -> dict[str, str]:
        """What the jobs of the last run printed."""
        return {log.stem: log.read_text() for log in (self.folder(provider) / "output").glob("*.log")}

    def recorded(self, provider: str, root: str) -> dict[str, Recorded]:
        """What the jobs of the last run started, each in a folder like ROOT."""
        files = {file.name.partition("-")[2]: file for file in self.records.glob(f"{provider}-*")}
        return {job: Recorded.read(file, root) for job, file in files.items()}

    def commit(self, text: str) -> str:
        """Commit an image that was never built; return the revision."""
        self.project.change(
            f"{text} at {dt.datetime.now(dt.UTC).isoformat(' ')}"
        )  # anything random looks like a secret
        git(self.project.folder, "add", ".")
        git(self.project.folder, "commit", "-q", "-m", text)
        return git(self.project.folder, "rev-parse", "HEAD")[:12]

    @property
    def served(self) -> tuple[str, list[int], set[str]]:
        """The revision that serves, the releases, the digests that the registry has."""
        releases = [release["number"] for release in self.project.releases()]
        return self.project.version()["revision"], releases, self.project.registry_digests()


def trusted(project: Project) -> set[str]:
    """The keys that the local AWS verifies tokens of jobs with, by their names."""
    file = project.state() / "aws" / "issuers.json"
    issuers = json.loads(file.read_text()) if file.exists() else {}
    return {key["kid"] for issuer in issuers.values() for key in issuer["keys"]}


@pytest.fixture(scope="module")
def pipelines(live: Project) -> Iterator[Pipelines]:
    live.restore()
    live.deploy("--skip-checks")
    began = git(live.folder, "rev-parse", "HEAD")
    folders = [*pipeline_tools.gitlab_ci_local(), pipeline_tools.compiled(pipeline_tools.ACT).parent]
    live.edit("tasks.py", "\n\nns:", f"{recorder.START}ns:")
    git(live.folder, "commit", "-q", "-a", "-m", "Write down what is started")  # apart: a push is reverted below
    yield Pipelines(live, ":".join([*map(str, folders), live.environ["PATH"]]), trusted(live))
    git(live.folder, "reset", "-q", "--hard", began)
    for left in ("rehearsal", "records"):
        shutil.rmtree(live.folder / ".longshore" / left, ignore_errors=True)


@dataclass
class Recorded:
    """What the commands of one job started: by argv, the program and the names of the variables that it got.

    `versions` are those of each Python that ran, and of its packages.
    """

    versions: list[dict[str, str]] = field(default_factory=list)
    started: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, root: str) -> Recorded:
        """Read FILE of a job whose clone was a folder like ROOT."""
        recorded = cls()
        for line in map(json.loads, file.read_text().splitlines()):
            if "versions" in line:
                recorded.versions.append(line["versions"])
            else:
                may_be_warm = Path(line["argv"][0]).name == "git"  # with an index from before, it has less to do
                argv = "git" if may_be_warm else shared(shlex.join(line["argv"]), root)
                recorded.started.setdefault(argv, set()).update(line["names"], [shared(line["program"], root)])
        return recorded

    def without(self, names: set[str]) -> Recorded:
        """The same but for variables called NAMES."""
        return Recorded(self.versions, {argv: got - names for argv, got in self.started.items()})

    def differs(self, other: Recorded) -> dict[str, set[str]]:
        """By argv, what one of both has and the other has not; the argv itself where only one of them started it."""
        every = self.started.keys() | other.started.keys()
        found = {argv: self.started.get(argv, {argv}) ^ other.started.get(argv, {argv}) for argv in every}
        both = zip(self.versions, other.versions, strict=True)
        found["versions"] = {f"{name} {version}" for one, two in both for name, version in one.items() ^ two.items()}
        return {argv: differing for argv, differing in found.items() if differing}


@dataclass
class Pushed:
    revision: str
    data: dict[str, Any]
    logs: dict[str, str]
    records: dict[str, Recorded]


@pytest.fixture(scope="module")
def pushed(pipelines: Pipelines) -> Pushed:
    """A whole push to the default branch, run by gitlab-ci-local."""
    revision = pipelines.commit("pushed to GitLab")
    return Pushed(revision, pipelines.run("gitlab").data, pipelines.logs("gitlab"), pipelines.recorded("gitlab", CLONE))


def declared(project: Project) -> dict[str, Job]:
    from msgspec.structs import replace

    settings = load(project.folder, {})
    settings = replace(settings, pipeline=replace(settings.pipeline, environments=(project.name,)))
    return {job.name: job for job in jobs(settings)}


def test_a_push_to_the_default_branch_serves_what_was_pushed(pipelines: Pipelines, pushed: Pushed) -> None:
    ended = {job["name"]: job for job in pushed.data["jobs"]}
    passed = dict.fromkeys(PUSHED, "passed")
    assert {name: job["result"] for name, job in ended.items()} == passed | {"drift": "not run"}
    assert pipelines.project.version()["revision"] == pushed.revision
    assert ended["rollout"]["start"] >= ended["build"]["start"] + ended["build"]["seconds"] - 1


def test_each_job_acted_as_its_own_role_and_within_it(pipelines: Pipelines, pushed: Pushed) -> None:
    assert pushed
    assert {role for role, _ in pipelines.calls} == {"plan", "build", "deploy"}
    assert pipelines.refused == []


@pytest.mark.parametrize("name", PUSHED)
def test_each_job_had_a_clone_of_its_own_as_deep_as_it_asks(pipelines: Pipelines, pushed: Pushed, name: str) -> None:
    clone, job = pipelines.clone(name), declared(pipelines.project)[name]
    assert git(clone, "rev-parse", "HEAD")[:12] == pushed.revision
    assert (clone / ".git" / "shallow").exists() is (
        not job.history and int(git(clone, "rev-list", "--count", "HEAD")) > 19
    )
    assert (clone / "tasks.py").stat().st_mode & 0o777 == 0o666, "checked out as a runner does"
    assert (clone / ".longshore" / "environments" / pipelines.project.name / "image.json").exists() is (
        name in ("build", "rollout")
    )
    assert (clone / ".longshore" / "environments" / pipelines.project.name / "plan.tfplan").exists() is (name == "plan")


def test_declared_artifacts_exist_and_are_what_gitlab_reads(pipelines: Pipelines, pushed: Pushed) -> None:
    assert pushed
    for name in PUSHED:
        kept = declared(pipelines.project)[name].kept
        for artifact in kept.artifacts if kept else ():
            for path in artifact.paths:
                file = pipelines.clone(name) / path
                assert file.exists(), f"{name}: {path}"
                match artifact.kind:
                    case "junit":
                        assert int(next(ET.parse(file).getroot().iter("testsuite")).attrib["tests"]) > 0
                    case "coverage":
                        assert float(ET.parse(file).getroot().attrib["line-rate"]) > 0.5
                    case "codequality":
                        assert isinstance(json.loads(file.read_text()), list)
                    case "terraform":
                        assert json.loads(file.read_text()) == {"create": 0, "update": 0, "delete": 0}
                    case "dotenv":
                        dotenv = dict(line.split("=", 1) for line in file.read_text().splitlines())
                        assert (
                            dotenv["LONGSHORE_URL"]
                            == pipelines.project.invoke("url", "-e", pipelines.project.name).out.strip()
                        )
                        assert pipelines.project.get("/version")[0] == 200


def test_no_secret_of_the_project_is_in_anything_that_is_left(pipelines: Pipelines, pushed: Pushed) -> None:
    assert not (pipelines.folder("gitlab") / "home").exists(), "the variables end with the run"
    left = [pipelines.folder("gitlab"), pipelines.project.folder / ".longshore" / "logs"]
    values = [*SECRETS.values(), TOKEN]
    for folder in left:
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink() and ".nox" not in file.parts and ".git" not in file.parts:
                assert leaked(file.read_text(errors="replace"), values) == [], file
    assert leaked(json.dumps(pushed.data), values) == []


def test_the_same_commit_again_and_then_its_revert_push_and_roll_out_nothing_twice(
    pipelines: Pipelines, pushed: Pushed
) -> None:
    only = "--jobs=build,rollout"
    _, releases, digests = pipelines.served
    pipelines.run("gitlab", only)
    assert pipelines.served == (pushed.revision, releases, digests)
    git(pipelines.project.folder, "revert", "--no-edit", "HEAD")
    pipelines.run("gitlab", only)
    revision, now, there = pipelines.served
    assert revision == git(pipelines.project.folder, "rev-parse", "HEAD")[:12]
    assert (now[0], there) == (releases[0] + 1, digests), "a release of the image that was there"
    laptop = pipelines.project.deploy("--skip-checks").data
    assert laptop["digest"] == pipelines.project.releases()[0]["digest"], "the laptop's own image, built before"
    assert not laptop["changed"]


def test_a_merge_request_changes_nothing(pipelines: Pipelines) -> None:
    before = pipelines.served
    pipelines.commit("proposed")
    audit = pipelines.project.state() / "logs" / "audit.log"
    size = len(audit.read_text())
    ran = pipelines.run("gitlab", "--event=merge_request", "--jobs=validate,plan,build,rollout,apply")
    assert [job["name"] for job in ran.data["jobs"] if job["result"] == "passed"] == ["validate", "plan"]
    assert {role for role, _ in pipelines.calls} == {"plan"}
    assert [action for _, action in pipelines.calls if not READS.match(action)] == []
    by_jobs = [line for line in audit.read_text()[size:].splitlines() if re.search(r"assumed-role/shop-\w+-ci-", line)]
    assert by_jobs == [], "no job of it reached the cluster"
    git(pipelines.project.folder, "reset", "-q", "--hard", "HEAD~1")
    assert pipelines.served == before


def test_after_a_test_that_fails_nothing_is_built_or_rolled_out(pipelines: Pipelines) -> None:
    before = pipelines.served
    test = pipelines.project.folder / "tests" / "unit" / "application" / "test_broken.py"
    test.write_text('"""A test."""\n\n\ndef test_it() -> None:\n    assert False\n')
    pipelines.commit("broken")
    ran = pipelines.run("gitlab", "--jobs=tests,build,rollout", check=False)
    assert (ran.exit_code, ran.data["error"]) == (5, "failed: tests")
    assert "test_it" in ran.err
    assert {job["name"]: job["result"] for job in ran.data["jobs"]} == {
        "tests": "failed",
        "build": "not run",
        "rollout": "not run",
    }
    assert pipelines.calls == []
    git(pipelines.project.folder, "reset", "-q", "--hard", "HEAD~1")
    assert pipelines.served == before


def shared(text: str, root: str) -> str:
    """TEXT without what differs between two clones, which are folders like ROOT."""
    return re.sub(rf"{root}(?=/|$)|/tmp/longshore-\w+|\btmp\w{{8}}\b|\b[0-9a-f]{{12,64}}\b", "…", text)


def commands(log: str, root: str = CLONE) -> list[str]:
    """What a job's steps ran, by its LOG. git's index may be warm, and old records of releases are deleted once there
    are more than the settings keep.
    """
    found = re.findall(r"^\$ ((?!git |sh |case |invoke |nox |.* configmap/longshore-release-).+)$", log, re.MULTILINE)
    return sorted(shared(line, root) for line in found)


def test_a_push_by_act_serves_it_too_by_the_same_commands(pipelines: Pipelines, pushed: Pushed) -> None:
    revision = pipelines.commit("pushed to GitHub")
    ran = pipelines.run("github", f"--jobs={','.join(DELIVERY)}")
    assert {job["name"]: job["result"] for job in ran.data["jobs"]} == dict.fromkeys(DELIVERY, "passed")
    assert pipelines.project.version()["revision"] == revision
    assert {role for role, _ in pipelines.calls} == {"plan", "build", "deploy"}
    assert pipelines.refused == []
    logs, records = pipelines.logs("github"), pipelines.recorded("github", CLONE)
    for name in DELIVERY:
        assert commands(pushed.logs[name]) == commands(logs[name]) != [], name
        assert pushed.records[name].differs(records[name]) == {}, name


# What a step of a job and one of a laptop do not have in common, and why.
DIFFERS = {
    "a role by its token, in a job": {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL_STS"},
    "the keys of an environment that is one's own, on a laptop": {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"),
    },
    "a job without a role reaches no AWS": {"AWS_ENDPOINT_URL"},
    "a rehearsed job has a home of its own, and this machine's programs": {"XDG_CACHE_HOME", "XDG_CONFIG_HOME"},
    "a shell's own settings of Terraform stay in that shell": {"TF_CLI_CONFIG_FILE"},
}


def test_a_laptop_s_steps_start_the_same_in_the_same_versions_with_the_same_variables(
    pipelines: Pipelines, pushed: Pushed
) -> None:
    project, explained = pipelines.project, set[str]().union(*DIFFERS.values())
    pipelines.commit("on a laptop")
    kept = project.folder / ".longshore" / "environments" / project.name
    shutil.rmtree(kept / "manifests")  # a job's clone has neither these nor tokens from before
    for token in kept.glob("?" * 32 + ".json"):
        token.unlink()
    for name in DELIVERY:
        for line in declared(project)[name].script:
            project.invoke(*line.split()[1:], JOB=name, LONGSHORE_PLAN_KEY=SECRETS["LONGSHORE_PLAN_KEY"])
    laptop = pipelines.recorded("laptop", re.escape(str(project.folder)))
    for name in DELIVERY:
        job, here = pushed.records[name].without(explained), laptop[name].without(explained)
        assert job.differs(here) == {}, name
        assert len(here.versions[0]) > 50
    assert {"terraform", "buildctl", "kubectl", "python"} <= {
        Path(argv.split()[0]).name for here in laptop.values() for argv in here.started
    }


@pytest.mark.slow
def test_a_whole_push_by_act_and_an_apply_by_hand(pipelines: Pipelines) -> None:
    revision = pipelines.commit("all of it at GitHub")
    ran = pipelines.run("github", "--by-hand=apply")
    assert {job["name"]: job["result"] for job in ran.data["jobs"]} == dict.fromkeys([*PUSHED, "apply"], "passed") | {
        "drift": "not run"
    }
    assert pipelines.project.version()["revision"] == revision
    assert "apply" in {role for role, _ in pipelines.calls}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("provider", "job", "number"),
    [
        ("gitlab", "rollout", signal.SIGINT),
        ("github", "rollout", signal.SIGTERM),
        ("gitlab", "apply", signal.SIGTERM),
        ("github", "apply", signal.SIGINT),
    ],
)
def test_a_pipeline_that_is_cancelled_in_a_job_that_holds_something_leaves_no_lock(
    pipelines: Pipelines, provider: str, job: str, number: signal.Signals, tmp_path: Path
) -> None:
    project = pipelines.project
    jobs_of, held = HELD[job]
    if job == "apply":
        variable = {"gitlab": "latency_threshold_seconds", "github": "log_retention_days"}[provider]
        ports = f"http_port = {project.http_port}"
        project.edit("longshore.toml", ports, f"{variable} = 30\n{ports}")
    revision, mark = pipelines.commit(f"cancelled in {job} at {provider}"), str(tmp_path)
    argv = ["ci.run", "-e", project.name, f"--provider={provider}", *jobs_of]
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", *argv],
        cwd=project.folder,
        env=project.environ | {"PATH": pipelines.path, "TMPDIR": mark, **SECRETS},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 300
        while not held(project):
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + number, output
    assert "Traceback" not in output
    end = time.monotonic() + PROMPT
    while left := descendants(mark):
        assert time.monotonic() < end, left
        time.sleep(0.05)
    assert not held(project)
    assert trusted(project) == pipelines.before
    assert not (pipelines.folder(provider) / "home").exists(), "it has the project's variables"
    pipelines.run(provider, *jobs_of)
    assert not held(project)
    if job == "rollout":
        assert project.version()["revision"] == revision
    else:
        assert project.invoke("infra.plan", "-e", project.name, "--json").data["changes"] == []


def leased(project: Project) -> bool:
    """Whether a release holds the environment's lease."""
    leases = project.kubectl("get", "leases.coordination.k8s.io")["items"]
    return any(lease["spec"].get("holderIdentity") for lease in leases)


HELD = {"rollout": (["--jobs=build,rollout"], leased), "apply": (["--jobs=plan,apply", "--by-hand=apply"], locked)}
