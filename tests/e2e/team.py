"""A team that brings its project to production: a person at a laptop, a remote, and the pipeline's jobs."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud import base_image, registry_login
from longshore.pipeline.jobs import jobs
from longshore.settings.load import load
from tests.e2e.ground import ACCOUNT, Ground, environ_of
from tests.e2e.project import copy, free_ports, git
from tests.integration import buildx
from tests.integration.role_replay import CALL, REFUSED
from tests.unit.localcloud.aws.tokens import Issuer

NAME, PERSON, DOMAIN, GITLAB = "production", "platform-admin", "shop.acme.io", "https://gitlab.com"
BASE = "python:3.11-slim-bookworm"
# There is no daemon here, BuildKit builds; and the machine's mirror of PyPI is none of the project's business.
DOCKER = """#!/bin/sh
case "$1 $2" in
  version*) echo "none here, BuildKit builds" ;;
  "buildx build") shift 2; exec {docker} buildx build {secret} "$@" ;;
  *) exec {docker} "$@" ;;
esac
"""


class Team:
    """Works on a copy of the project, whose `origin` is a bare repository, in an account on GROUND."""

    def __init__(self, folder: Path, ground: Ground) -> None:
        self.folder, self.ground = folder, ground
        self.laptop, self.origin = folder / "laptop", folder / "origin.git"
        self.http, self.https = free_ports(2)
        self.roles: dict[str, str] = {}
        self.gitlab = Issuer(GITLAB)
        self.hosts = folder / "hosts"
        self.hosts.write_text(Path("/etc/hosts").read_text() + f"127.0.0.1 {DOMAIN} www.{DOMAIN}\n")
        copy(self.laptop)
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.origin))
        git(self.laptop, "init", "-q", "-b", "main")
        git(self.laptop, "remote", "add", "origin", str(self.origin))
        self.environ = environ_of(folder) | self._tools() | self._way_to_aws()
        ground.give("issuers.json", json.dumps({GITLAB: self.gitlab.jwks}))

    def _tools(self) -> dict[str, str]:
        """Make what README asks for on the PATH: Docker with buildx and a builder, and a kubectl of the right age."""
        layout, folder, own = self.ground.layout, self.folder / "bin", self.folder / "home" / ".docker"
        buildx.configure(own, buildx.plugin(self.ground.settings, self.ground.runner), layout)
        login = {"auths": {layout.registry: {"auth": registry_login.token(layout)}}}  # for the base image alone
        (own / "config.json").write_text(json.dumps(json.loads((own / "config.json").read_text()) | login))
        folder.mkdir()
        (folder / "kubectl").symlink_to(layout.kubectl)
        pip = base_image.pip_conf(self.ground.settings)
        secret = f"--secret=id=pip_conf,src={pip}" if pip else ""
        (folder / "docker").write_text(DOCKER.format(docker=shutil.which("docker"), secret=secret))
        (folder / "docker").chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_CONFIG": str(own)}

    def _way_to_aws(self) -> dict[str, str]:
        trusted = self.folder / "ca.crt"  # the edge's authority comes with the edge
        none = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        urls = {"AWS_ENDPOINT_URL": self.ground.url, "AWS_ENDPOINT_URL_STS": self.ground.url}
        return {**none, **urls, "AWS_EC2_METADATA_DISABLED": "true", "SSL_CERT_FILE": str(trusted)}

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace OLD by NEW in a file, wherever it is there."""
        text = (self.laptop / name).read_text()
        assert old in text, f"{name} has no {old!r}"
        (self.laptop / name).write_text(text.replace(old, new))

    def push(self, *branches: str) -> str:
        """Commit what is on the laptop's disk, and push it to BRANCHES; return the commit."""
        git(self.laptop, "add", "--all")
        git(self.laptop, "commit", "--quiet", "--message=Work")
        git(self.laptop, "push", "--quiet", "--force", "origin", *(f"HEAD:refs/heads/{branch}" for branch in branches))
        return git(self.laptop, "rev-parse", "HEAD")

    def run(self, folder: Path, command: str, env: Mapping[str, str], code: int) -> str:
        """Run COMMAND in FOLDER, where the domain is this machine; it has to end with CODE. Return what it printed."""
        authorities = [Path("/etc/ssl/certs/ca-certificates.crt"), self.ground.layout.edge_ca]
        (self.folder / "ca.crt").write_text("".join(file.read_text() for file in authorities if file.exists()))
        inside = ("unshare", "--mount", "--propagation=private", "sh", "-c")
        hosts = ('mount --bind "$0" /etc/hosts && exec "$@"', str(self.hosts))
        argv = [*inside, *hosts, sys.executable, "-m", *command.split()]
        began = time.monotonic()
        ended = subprocess.run(
            argv, cwd=folder, env={**self.environ, **env}, capture_output=True, text=True, check=False, timeout=1500
        )
        print(f"{time.monotonic() - began:7.1f} s  {ended.returncode}  {folder.name}: {command}", flush=True)
        text = ended.stdout + ended.stderr
        assert ended.returncode == code, f"{command} ended with {ended.returncode}\n{text[-6000:]}"
        assert REFUSED.findall(self.ground.calls) == [], f"{command}: its role lacks a permission"
        return text

    def person(self, command: str, code: int = 0) -> str:
        """Run COMMAND on the laptop, as a person with a session of the administrators' role."""
        return self.run(self.laptop, command, self.ground.session(PERSON), code)

    def job(self, name: str, *, branch: str = "main", receives: tuple[str, ...] = (), code: int = 0) -> str:
        """Run the script of the pipeline's job NAME in a fresh clone, with the artifacts of the jobs RECEIVES."""
        every = {job.name: job for job in jobs(load(self.laptop, {}))}
        job, folder = every[name], self.folder / f"job-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        git(self.folder, "clone", "--quiet", f"--branch={branch}", str(self.origin), str(folder))
        for other in receives:
            for path in (path for artifact in every[other].kept.artifacts for path in artifact.paths):  # type: ignore[union-attr]
                if (source := self.folder / f"job-{other}" / path).is_file():
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, folder / path)
        token = self.gitlab.token(aud=GITLAB, sub=f"project_path:acme/shop:ref_type:branch:ref:{branch}")
        env = {"CI": "true", "GITLAB_CI": "true", "AWS_ROLE_ARN": self.roles[job.role], "AWS_ID_TOKEN": token}
        env["LONGSHORE_PLAN_KEY"] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="  # pragma: allowlist secret
        return "".join(self.run(folder, line, env, code) for line in job.script)

    @property
    def seen(self) -> set[str]:
        """The roles whose sessions have called AWS so far."""
        return {role for role, _, _ in CALL.findall(self.ground.calls)}

    def version(self) -> dict[str, Any]:
        """Return what the public address says of itself, to a client that trusts its authority alone."""
        context = ssl.create_default_context(cafile=str(self.ground.layout.edge_ca))
        plain = socket.create_connection(("127.0.0.1", self.https), timeout=5)
        connection = http.client.HTTPConnection(DOMAIN, self.https)
        with context.wrap_socket(plain, server_hostname=DOMAIN) as connection.sock:
            connection.request("GET", "/version", headers={"User-Agent": "tests"})
            answer = connection.getresponse()
            body = answer.read().decode()
        assert answer.status == 200, body
        return json.loads(body)  # type: ignore[no-any-return]

    def used(self) -> int | None:
        """Return what the autoscaler knows of the pods' processors, in percent of what they ask for."""
        status = json.loads(self.ground.admin("get", "hpa", "app", "-o", "json"))["status"]
        known = [metric["resource"]["current"] for metric in status.get("currentMetrics") or () if "resource" in metric]
        return known[0].get("averageUtilization") if known else None

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Ask the pods for pages without pause, behind the web ACL's back, which would block this machine."""
        done, address = threading.Event(), (self.ground.layout.node_ip, 30080)

        def ask() -> None:
            while not done.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException):
                    connection = http.client.HTTPConnection(*address, timeout=5)
                    connection.request("GET", "/", headers={"Host": DOMAIN})
                    connection.getresponse().read()
                    connection.close()

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join(10)

    def pods(self) -> list[str]:
        """Return the names of the application's pods that are not ending."""
        items = json.loads(self.ground.admin("get", "pods", "-l", "app.kubernetes.io/name=app", "-o", "json"))["items"]
        return [pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"]]


def until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Wait until CONDITION holds."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"after {seconds:.0f} s not {what}"
        time.sleep(5)
    print(f"{time.monotonic() - began:7.1f} s  until {what}", flush=True)


def roles_in(text: str) -> dict[str, str]:
    """Return the roles of the pipeline's jobs that TEXT, Terraform's outputs, prints: role -> ARN."""
    return {arn.rpartition("-")[2]: arn for arn in re.findall(rf"arn:aws:iam::{ACCOUNT}:role/[\w-]+-ci-\w+", text)}
