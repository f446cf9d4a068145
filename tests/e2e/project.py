"""A throw-away project with an environment of its own: a clone of this working tree, other ports, other addresses, other state."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parent.parent.parent
REGION = "eu-central-1"


ENVIRONMENT = """
[environments.{name}]
account = "123456789012"
region = "eu-central-1"
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
    """How a command ended: exit code, both streams, and what it said as JSON."""

    exit_code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.out)  # type: ignore[no-any-return]


class Project:
    """A checkout of the project whose commands are run as a user would run them."""

    def __init__(self, folder: Path, name: str, ports: tuple[int, int, int], home: Path) -> None:
        self.folder, self.name = folder, name
        self.http_port, self.https_port, self.aws_port = ports
        # Compiled programs are shared with the machine's user; state is not.
        self.environ = {**os.environ, "XDG_STATE_HOME": str(home / "state"), "CI": "true", "NO_COLOR": "1"}

    def invoke(self, *words: str, deadline: float = 300, check: bool = True, **environ: str) -> Ran:
        """Run `invoke WORDS` in the project; end it and fail when it takes longer than DEADLINE seconds."""
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *words], cwd=self.folder, env=self.environ | environ, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            out, err = process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            out, err = process.communicate(timeout=60)
            raise AssertionError(f"invoke {' '.join(words)} took over {deadline} s\n{out}\n{err}") from None
        if check and process.returncode != 0:
            raise AssertionError(f"invoke {' '.join(words)} ended with {process.returncode}\n{out}\n{err}")
        return Ran(process.returncode, out, err)

    def deploy(self, *words: str, **options: Any) -> Ran:
        """Run `invoke deploy` for the project's own environment, with its answer as JSON."""
        return self.invoke("deploy", "-e", self.name, "--json", *words, **options)

    def state(self) -> Path:
        """The folder in which the environment keeps what it is."""
        return next((Path(self.environ["XDG_STATE_HOME"]) / "longshore").glob(f"*-{self.name}-*"))

    def key(self, setting: str) -> str:
        """The environment variable that overrides a SETTING of the environment."""
        return f"LONGSHORE__ENVIRONMENTS__{self.name.upper()}__{setting}"

    def ship(self, *words: str, **options: Any) -> Ran:
        """Deploy without the gates, however that ends."""
        return self.deploy("--skip-checks", *words, check=False, **options)

    def releases(self) -> list[dict[str, Any]]:
        """What the environment has recorded, the newest first."""
        return list(self.invoke("history", "-e", self.name, "--json").data["releases"])

    def administering(self, *words: str) -> subprocess.Popen[str]:
        """Begin what the cluster's administrator does with kubectl."""
        argv = [kubectl(), f"--kubeconfig={self.state() / 'pki' / 'admin.conf'}", "-n", "shop", *words]
        return subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def admin(self, *words: str) -> str:
        """Do with kubectl what the cluster's administrator may; return what it prints."""
        with self.administering(*words) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err
        return out

    def kubectl(self, *words: str) -> dict[str, Any]:
        """Ask the cluster as its administrator."""
        return json.loads(self.admin(*words, "-o", "json"))  # type: ignore[no-any-return]

    def client(self, service: str) -> Any:
        """Return a client of the environment's AWS with the operator's own key."""
        kept = configparser.ConfigParser()
        kept.read(self.state() / "aws" / "credentials")
        key = kept["default"]
        return boto3.client(
            service, region_name=REGION, endpoint_url=f"http://127.0.0.1:{self.aws_port}",
            aws_access_key_id=key["aws_access_key_id"], aws_secret_access_key=key["aws_secret_access_key"],
        )  # fmt: skip

    def pid_of(self, part: str) -> int:
        """Return the process of one of the environment's daemons."""
        run = next(Path("/run/longshore").glob(f"*-{self.name}-*"))
        return int(json.loads((run / f"{part}.pid").read_text())[0])

    def get(self, path: str, *, plain: bool = False) -> tuple[int, dict[str, str], str]:
        """Ask the public address as a browser would, trusting nothing but the environment's own CA; follow no redirect."""
        port = self.http_port if plain else self.https_port
        stream = socket.create_connection(("127.0.0.1", port), timeout=5)
        if not plain:
            context = ssl.create_default_context(cafile=str(self.state() / "pki" / "edge-ca.crt"))
            stream = context.wrap_socket(stream, server_hostname="shop.localhost")
        with stream:
            stream.sendall(
                f"GET {path} HTTP/1.1\r\nHost: shop.localhost:{port}\r\nConnection: close\r\n\r\n".encode()
            )
            data = b""
            while chunk := stream.recv(1 << 16):
                data += chunk
        head, _, body = data.decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        return int(lines[0].split()[1]), headers, body

    def version(self) -> dict[str, str]:
        """What the application says it is."""
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
        """Give the image other content, which changes nothing of what it does."""
        (self.folder / "application" / "note.txt").write_text(text)

    def add(self, name: str, text: str) -> None:
        """Add a file to k8s/base, in the manifest of every environment."""
        (self.folder / "k8s" / "base" / name).write_text(text)
        self.edit("k8s/base/kustomization.yaml", "resources:\n", f"resources:\n  - {name}\n")

    def restore(self) -> None:
        """Take every edit back."""
        git(self.folder, "checkout", "-q", "--", ".")
        git(self.folder, "clean", "-qfd", "-e", ".longshore")


def cache() -> Path:
    """The folder of what is built once on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "longshore"


def kubectl() -> str:
    """The kubectl that was built here."""
    return str(max((cache() / "kubernetes").glob("*/kubectl")))


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def make_project(folder: Path, name: str, home: Path) -> Project:
    """Copy the working tree to FOLDER as a repository of its own, with one more local environment, called NAME."""
    folder.mkdir(parents=True)
    for path in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if path and (ROOT / path).is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, folder / path)
    http, https, aws = free_ports(3)
    settings = folder / "longshore.toml"
    # A team's repository has no tests of Longshore's; CI has run them before these.
    ours, cut = re.subn(r"\[gates\.tests\.(toolkit|rollout)\].*\n(?:.+\n)+", "", settings.read_text())
    assert cut == 2
    settings.write_text(ours + ENVIRONMENT.format(name=name, http=http, https=https, aws=aws))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "Take the project as it stands")
    return Project(folder, name, (http, https, aws), home)
