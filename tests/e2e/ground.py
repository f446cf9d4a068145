"""What production is to a team, on this machine: an account that nothing is in yet, a cluster, a registry, an edge.

The team's own environment `production` has no table `local`. It reaches all this by AWS_ENDPOINT_URL alone, so what
runs for it is what runs for Amazon's AWS. Here are only the parts of a local environment, without its Terraform.
"""

from __future__ import annotations

import configparser
import os
import socket
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from localcloud import confined
from localcloud.aws import parent
from localcloud.aws.options import Options, configure
from localcloud.environment import LocalCloud
from localcloud.layout import Layout
from longshore.process.command import change
from longshore.process.runner import Runner
from longshore.settings.load import load
from tests.integration.conftest import quiet

ACCOUNT = "123456789012"
SETTINGS = """
[project]
name = "shop"
[environments.{name}]
account = "{account}"
region = "{region}"
[environments.{name}.local]
aws_port = {port}
"""


class Ground:
    """The ground on which environment NAME of a project called shop stands, in REGION, with its settings in FOLDER."""

    def __init__(self, folder: Path, name: str, region: str, environ: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        with socket.socket() as free, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
            free.bind(("127.0.0.1", 0))
            names.bind(("127.0.0.1", 0))
            self.port, self.dns_port = free.getsockname()[1], names.getsockname()[1]
        text = SETTINGS.format(name=name, account=ACCOUNT, region=region, port=self.port)
        (folder / "longshore.toml").write_text(text)
        self.region, self.settings = region, load(folder, environ)
        self.runner = Runner(environ, log_dir=folder / "logs")
        self.cloud = LocalCloud.of(self.settings, self.settings.environment(name), self.runner)

    @property
    def layout(self) -> Layout:
        return self.cloud.layout

    @property
    def url(self) -> str:
        return self.layout.aws_endpoint

    def start(self) -> None:
        """Start all but the edge, and answer for the domain above: what it delegates `delegate` says."""
        for part in self.cloud.parts:
            if part.name != "edge" and not part.ready():
                part.start(quiet)
        configure(Options(parent=self._folder / "parent.zone"))
        parent.serve("127.0.0.1", self.dns_port)

    def serve(self) -> None:
        """Have the edge serve what the load balancer's listeners say, as a load balancer does by itself."""
        (edge,) = (part for part in self.cloud.parts if part.name == "edge")
        edge.start(quiet)

    def delegate(self, records: str) -> None:
        """Enter RECORDS where the domain above is managed."""
        self.give("parent.zone", records)

    def give(self, name: str, text: str) -> None:
        """Give the local AWS a file."""
        file = self._folder / name
        file.write_text(text)
        confined.own(self.layout, "aws", file)

    @property
    def calls(self) -> str:
        """The log of all calls so far."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("requests.log*"), reverse=True))

    def end(self) -> None:
        """Stop everything and delete it."""
        self.cloud.reset(quiet)

    @property
    def _folder(self) -> Path:
        return self.layout.cluster_file.parent

    @cached_property
    def _key(self) -> configparser.SectionProxy:
        credentials = configparser.ConfigParser()
        credentials.read(self._folder / "credentials")
        return credentials["default"]

    def client(self, service: str, session: Mapping[str, str] | None = None) -> Any:
        """Return a client with the key of SESSION, as AWS's variables, or the operator's."""
        key = session or {name.upper(): value for name, value in self._key.items()}
        return boto3.client(
            service,
            region_name=self.region,
            endpoint_url=self.url,
            aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=key.get("AWS_SESSION_TOKEN"),
        )

    def session(self, role: str) -> dict[str, str]:
        """Return AWS's variables for a session of ROLE."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
        key = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        variables = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return {variable: key[name] for variable, name in zip(variables, names, strict=True)}

    def admin(self, *words: str, stdin: str = "") -> str:
        """Run kubectl as the cluster's administrator, in the namespace `shop` by default; return what it prints."""
        inside = () if stdin else ("-n", "shop")
        argv = (str(self.layout.kubectl), f"--kubeconfig={self.layout.kubeconfig}", *inside, *words)
        return self.runner.run(change(*argv, stdin=stdin or None, deadline=60.0)).stdout


def environ_of(home: Path) -> dict[str, str]:
    """Return this shell's variables without AWS's, with a state folder in HOME."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LONGSHORE_"))}
    return kept | {"XDG_STATE_HOME": str(home / "state"), "NO_COLOR": "1"}
