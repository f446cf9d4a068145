"""The programs that a deployment to AWS starts, and their versions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from longshore.commands import docker, versions
from longshore.doctor.finding import Finding, Place
from longshore.errors import Failure
from longshore.process.command import Command
from longshore.process.runner import Runner

LOWEST, LIMIT = (1, 11, 4), (2, 0, 0)  # terraform/versions.tf
SKEW = 1  # minor versions between kubectl and the API server that Kubernetes supports


def check(place: Place) -> Iterator[Finding]:
    """Yield a finding for each program."""
    yield starts(place.runner, versions.git(), "git", "install git")
    yield starts(
        place.runner, docker.server_version(), "docker", "install Docker and start its daemon: it builds the image"
    )
    yield starts(place.runner, docker.buildx_version(), "docker buildx", "install Docker's buildx plugin")
    yield terraform(place.runner)
    yield _kubectl(place)


def starts(runner: Runner, command: Command, name: str, advice: str) -> Finding:
    """Return whether COMMAND, which prints the version of NAME, can be run."""
    try:
        lines = runner.run(command).stdout.split("\n")
    except Failure as problem:
        return Finding(False, name, f"{advice} ({problem.sentence})")
    return Finding(True, f"{name}: {lines[0].strip()}")


def terraform(runner: Runner) -> Finding:
    """Return whether Terraform is there in a version that works."""
    advice = "install Terraform 1.11.4 or newer, and older than 2"
    try:
        version = json.loads(runner.run(versions.terraform()).stdout)["terraform_version"]
    except (Failure, ValueError, KeyError) as problem:
        return Finding(False, "terraform", f"{advice} ({problem})")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    return Finding(LOWEST <= numbers < LIMIT, f"terraform {version}", advice)


def _kubectl(place: Place) -> Finding:
    wanted = str(place.variables.get("kubernetes_version", ""))
    advice = f"install kubectl {wanted}: one minor version more or less than the cluster's is supported"
    try:
        client = json.loads(place.runner.run(versions.kubectl()).stdout)["clientVersion"]["gitVersion"]
    except (Failure, ValueError, KeyError) as problem:
        return Finding(False, "kubectl", f"{advice} ({problem})")
    minors = [int(match[1]) for text in (client, wanted) if (match := re.search(r"1\.(\d+)", text))]
    if len(minors) < 2:
        return Finding(None, f"kubectl {client}", "the cluster's version is not known")
    return Finding(abs(minors[0] - minors[1]) <= SKEW, f"kubectl {client}", advice)
