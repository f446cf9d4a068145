"""The pipelines of the project as they are rehearsed, and what a run of them leaves: logs, calls, what was started."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from tests.e2e import recorder
from tests.e2e.project import Project, Ran, git

CALL = re.compile(r" iam arn:aws:sts::\d+:assumed-role/shop-\w+-ci-(\w+)/\S+ (\S+) \S+$", re.MULTILINE)
SECRETS = {
    "LONGSHORE_PLAN_KEY": Fernet.generate_key().decode(),
    **{name: secrets.token_urlsafe(24) for name in ("LONGSHORE_NOTES_TOKEN", "LONGSHORE_RESULTS_KEY", "DOCKER_PWORD")},
}
CLONE = r"/\S+?/(?:builds/[\w-]+|hostexecutor)"  # where a job is, at gitlab-ci-local and at act
DAYLIGHT = 1200  # seconds for a whole pipeline on a busy machine


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


def shared(text: str, root: str) -> str:
    """TEXT without what differs between two clones, which are folders like ROOT."""
    return re.sub(rf"{root}(?=/|$)|/tmp/longshore-\w+|\btmp\w{{8}}\b|\b[0-9a-f]{{12,64}}\b", "…", text)


def commands(log: str, root: str = CLONE) -> list[str]:
    """What a job's steps ran, by its LOG. git's index may be warm, and old records of releases are deleted once there
    are more than the settings keep.
    """
    found = re.findall(r"^\$ ((?!git |sh |case |invoke |nox |.* configmap/longshore-release-).+)$", log, re.MULTILINE)
    return sorted(shared(line, root) for line in found)
