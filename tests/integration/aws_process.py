"""The local AWS as a process of its own, for tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[2]
REGION = "eu-central-1"
ACCOUNT = "123456789012"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class AwsProcess:
    """`python -m longshore.local.aws` on a folder and a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.errors = folder.with_suffix(".errors")
        self.cluster_file = folder / "cluster.json"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        argv = [sys.executable, "-m", "longshore.local.aws", "--state", str(self.folder)]
        argv += ["--listen", f"127.0.0.1:{self.port}", "--registry", "127.0.0.1:5001"]
        argv += ["--cluster", str(self.cluster_file)]
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT)
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n", self.errors.read_text()

    def end(self, *, kill: bool = False) -> int:
        """End it with SIGTERM, or SIGKILL, and return its exit code."""
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
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, body, method=method), timeout=30
        ) as answer:
            return json.load(answer)

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to use this AWS and no other."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return kept | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, config: Any = None) -> Any:
        """Return a client with the operator's key."""
        import configparser

        kept = configparser.ConfigParser()
        kept.read(self.folder / "credentials")
        key = kept["default"]
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            config=config,
            aws_access_key_id=key["aws_access_key_id"],
            aws_secret_access_key=key["aws_secret_access_key"],
        )
