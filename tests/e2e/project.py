"""A throw-away copy of this working tree, with an environment, ports and state of its own."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from longshore.pipeline import files
from longshore.settings.load import load

ROOT = Path(__file__).parent.parent.parent
REGION = "eu-west-1"  # not Terraform's default


ENVIRONMENT = """
[environments.{name}]
account = "123456789012"
region = "eu-west-1"
approve = "auto"
overlay = "local"
variables_file = "terraform/environments/local.tfvars"
bake = 0

[environments.{name}.local]
aws_port = {aws}

[environments.{name}.variables]
http_port = {http}
https_port = {https}
"""


@dataclass(frozen=True)
class Ran:
    """The result of a command: exit code, both streams; `data` is the JSON document that it printed."""

    exit_code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.out)  # type: ignore[no-any-return]


class Project:
    """A checkout of the project, with its commands run as a user runs them."""

    def __init__(
        self, folder: Path, name: str, ports: tuple[int, int, int], home: Path, namespace: str = "shop"
    ) -> None:
        self.folder, self.name, self.namespace = folder, name, namespace
        self.host = f"{namespace}.localhost"
        self.http_port, self.https_port, self.aws_port = ports
        # The cache of compiled programs is the user's own; the state is not.
        self.environ = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "CI": "true", "NO_COLOR": "1"}

    def invoke(self, *words: str, deadline: float = 300, check: bool = True, **environ: str) -> Ran:
        """Run `invoke WORDS` in the project. Stop it and fail if it takes longer than DEADLINE seconds."""
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *words],
            cwd=self.folder,
            env=self.environ | environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=deadline)
        except BaseException as problem:  # Ctrl-C too: the environment cannot be reset while the command holds it
            os.killpg(process.pid, signal.SIGTERM)
            out, err = process.communicate(timeout=60)
            if not isinstance(problem, subprocess.TimeoutExpired):
                raise
            raise AssertionError(f"invoke {' '.join(words)} took over {deadline} s\n{out}\n{err}") from None
        if check and process.returncode != 0:
            told = f"{out}\n{err}\n{self._refused()}"
            raise AssertionError(f"invoke {' '.join(words)} ended with {process.returncode}\n{told}")
        return Ran(process.returncode, out, err)

    def _refused(self) -> str:
        """The calls of the kinds that the environment's AWS has refused, those it took included, and repeated ones."""
        files = (Path(self.environ["XDG_STATE_HOME"]) / "longshore").glob("*/aws/requests.log")
        calls = [line for file in files for line in file.read_text().splitlines()]
        kinds = {tuple(line.split()[3:5]) for line in calls if re.match(r"(?:\S+ ){5}4", line)}
        changes = {kind for kind in kinds if not kind[-1].startswith(("Get", "List", "Describe", "Head"))}
        told = (
            line for line in calls if tuple(line.split()[3:5]) in changes or "attempt " in line or "not taken" in line
        )
        return "\n".join(told)

    def deploy(self, *words: str, **options: Any) -> Ran:
        """Run `invoke deploy --json` for the project's own environment."""
        return self.invoke("deploy", "-e", self.name, "--json", *words, **options)

    def state(self) -> Path:
        """The environment's state folder."""
        return next((Path(self.environ["XDG_STATE_HOME"]) / "longshore").glob(f"*-{self.name}-*"))

    def run(self) -> Path:
        """The folder of the environment's sockets and pids. Another checkout may have an environment of this name."""
        return Path("/run/longshore") / self.state().name

    def key(self, setting: str) -> str:
        """The environment variable that overrides SETTING of the environment."""
        return f"LONGSHORE__ENVIRONMENTS__{self.name.upper()}__{setting}"

    def ship(self, *words: str, **options: Any) -> Ran:
        """Deploy without the gates; it may fail."""
        return self.deploy("--skip-checks", *words, check=False, **options)

    def releases(self) -> list[dict[str, Any]]:
        """The recorded releases, newest first."""
        return list(self.invoke("history", "-e", self.name, "--json").data["releases"])

    def administering(self, *words: str) -> subprocess.Popen[str]:
        """Start kubectl as the cluster's administrator."""
        argv = [kubectl(), f"--kubeconfig={self.state() / 'pki' / 'admin.conf'}", "-n", self.namespace, *words]
        return subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def admin(self, *words: str) -> str:
        """Run kubectl as the cluster's administrator; return its output."""
        with self.administering(*words) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        return out

    def kubectl(self, *words: str) -> dict[str, Any]:
        """Return the JSON that kubectl prints for the cluster's administrator."""
        return json.loads(self.admin(*words, "-o", "json"))  # type: ignore[no-any-return]

    def standing(self) -> set[str]:
        """Return the names of the pods, once old ones have ended: a deploy leaves those to Kubernetes."""
        end = time.monotonic() + 60
        while any("deletionTimestamp" in pod["metadata"] for pod in self.kubectl("get", "pods")["items"]):
            assert time.monotonic() < end
            time.sleep(0.5)
        return set(self.admin("get", "pods", "-o", "name").splitlines())

    def client(self, service: str) -> Any:
        """Return a client of the environment's AWS with the operator's key."""
        credentials = configparser.ConfigParser()
        credentials.read(self.state() / "aws" / "credentials")
        key = credentials["default"]
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{self.aws_port}",
            aws_access_key_id=key["aws_access_key_id"],
            aws_secret_access_key=key["aws_secret_access_key"],
        )

    def registry_digests(self) -> set[str]:
        """Return the digests of the application's image that the registry itself has."""
        repository = self.invoke("infra.output", "-e", self.name, "--json").data["repository_url"]
        host, _, name = repository.partition("/")
        login = json.loads((self.state() / "docker" / "config.json").read_text())["auths"][host]["auth"]
        types = ("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json")
        headers = {"Authorization": f"Basic {login}", "Accept": ", ".join(types)}

        def ask(path: str, method: str = "GET") -> Any:
            request = urllib.request.Request(f"http://{host}/v2/{name}/{path}", headers=headers, method=method)
            return urllib.request.urlopen(request, timeout=5)

        with ask("tags/list") as answer:
            tags = json.load(answer)["tags"]
        digests = set()
        for tag in tags:
            with ask(f"manifests/{tag}", "HEAD") as answer:
                digests.add(answer.headers["Docker-Content-Digest"])
        return digests

    def pid_of(self, part: str) -> int:
        """Return the pid of one of the environment's daemons."""
        return int(json.loads((self.run() / f"{part}.pid").read_text())[0])

    def get(self, path: str, *, plain: bool = False) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body of PATH at the public address, trusting only the environment's CA.

        Redirects are not followed.
        """
        port = self.http_port if plain else self.https_port
        stream = socket.create_connection(("127.0.0.1", port), timeout=5)
        if not plain:
            context = ssl.create_default_context(cafile=str(self.state() / "pki" / "edge-ca.crt"))
            stream = context.wrap_socket(stream, server_hostname=self.host)
        with stream:
            headers = f"Host: {self.host}:{port}\r\nUser-Agent: tests\r\nConnection: close"
            stream.sendall(f"GET {path} HTTP/1.1\r\n{headers}\r\n\r\n".encode())
            data = b""
            while chunk := stream.recv(1 << 16):
                data += chunk
        head, _, body = data.decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines[1:])
        return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, body

    def version(self) -> dict[str, str]:
        """What the application's /version says."""
        status, _, body = self.get("/version")
        assert status == 200, body
        return json.loads(body)  # type: ignore[no-any-return]

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace OLD by NEW in a file of the project; OLD must be there."""
        file = self.folder / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new, 1))

    def change(self, text: str) -> None:
        """Change the content of the image, but not its behaviour."""
        (self.folder / "application" / "note.txt").write_text(text)

    def add(self, name: str, text: str) -> None:
        """Add a file to k8s/base, and so to the manifest of every environment."""
        (self.folder / "k8s" / "base" / name).write_text(text)
        self.edit("k8s/base/kustomization.yaml", "resources:\n", f"resources:\n  - {name}\n")

    def restore(self) -> None:
        """Revert every edit."""
        git(self.folder, "checkout", "-q", "--", ".")
        git(self.folder, "clean", "-qfd", "-e", ".longshore")


def cache() -> Path:
    """The cache of programs that are compiled once per machine."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "longshore"


def kubectl() -> str:
    """The kubectl that was compiled on this machine."""
    return str(max((cache() / "kubernetes").glob("*/kubectl")))


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def copy(folder: Path) -> None:
    """Copy the working tree to FOLDER, without Longshore's own suites, which a team's repository does not have."""
    folder.mkdir(parents=True)
    for path in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if path and (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    settings = folder / "longshore.toml"
    text, cut = re.subn(r"\[gates\.tests\.(toolkit|rollout)\].*\n(?:.+\n)+", "", settings.read_text())
    text, kept = re.subn(r'paths = \["tests/unit/application",.*\]', 'paths = ["tests/unit/application"]', text)
    assert (cut, kept) == (2, 1)
    settings.write_text(text)


def make_project(folder: Path, name: str, home: Path) -> Project:
    """Copy the working tree to FOLDER as a git repository, with one more local environment, called NAME."""
    copy(folder)
    http, https, aws = free_ports(3)
    settings = folder / "longshore.toml"
    settings.write_text(settings.read_text() + ENVIRONMENT.format(name=name, http=http, https=https, aws=aws))
    for path, pipeline in files.rendered(load(folder, {})).items():  # its tests are other suites
        (folder / path).write_text(pipeline)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Begin")
    return Project(folder, name, (http, https, aws), home)
