"""The local AWS as a separate process, for tests."""

from __future__ import annotations

import configparser
import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import boto3

from localcloud import secret

ROOT = Path(__file__).parents[2]
REGION = "eu-west-1"  # not Terraform's default
ACCOUNT = "123456789012"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class AwsProcess:
    """`python -m localcloud.aws` on a folder and a free port, with more OPTIONS."""

    def __init__(self, folder: Path, *options: str, dns: bool = False) -> None:
        self.folder, self.port = folder, free_port()
        self.dns_port = free_port() if dns else 0
        self.options = (*options, *(("--dns", f"127.0.0.1:{self.dns_port}") if dns else ()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.errors = folder.with_suffix(".errors")
        self.cluster_file = folder / "cluster.json"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        argv = [sys.executable, "-m", "localcloud.aws", "--state", str(self.folder)]
        argv += ["--listen", f"127.0.0.1:{self.port}", "--registry", "127.0.0.1:5001"]
        argv += ["--cluster", str(self.cluster_file), *self.options]
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", self.errors.read_text()

    def end(self, *, kill: bool = False) -> int:
        """Stop it with SIGTERM or SIGKILL, and return its exit code."""
        assert self.process
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        code = self.process.wait(timeout=30)
        assert self.process.stdout
        self.process.stdout.close()
        self.process = None
        return code

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> Any:
        """Call one of the server's own routes as Longshore does."""
        headers = secret.headers(self.folder / "secret")
        request = urllib.request.Request(self.url + path, body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that make a program use this AWS and no other."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return inherited | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, config: Any = None) -> Any:
        """Return a client with the operator's key."""
        credentials = configparser.ConfigParser()
        credentials.read(self.folder / "credentials")
        key = credentials["default"]
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            config=config,
            aws_access_key_id=key["aws_access_key_id"],
            aws_secret_access_key=key["aws_secret_access_key"],
        )
