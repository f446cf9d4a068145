"""One local AWS in this process, asked through WSGI; no port, no process."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.loaders import Loader
from werkzeug.test import Client

from longshore.local.aws import iam
from longshore.local.aws.options import Options
from longshore.local.aws.server import Application

HOST = "127.0.0.1:4566"
REGION = "eu-central-1"


# Service models are large: read once for all sessions, as a client is made once for all tests.
LOADER = Loader()


class Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@functools.cache
def session_of(key: str, secret: str, token: str | None = None) -> boto3.Session:
    """Return a session with these credentials."""
    core = botocore.session.get_session()
    core.register_component("data_loader", LOADER)
    return boto3.Session(key, secret, token, region_name=REGION, botocore_session=core)


@functools.cache
def client_of(session: boto3.Session, service: str) -> Any:
    """Return a boto3 client that signs and parses as usual and sends through WSGI."""
    client = session.client(service, endpoint_url=f"http://{HOST}", region_name=REGION)  # type: ignore[call-overload]
    client.meta.events.register("before-send", _send)
    return client


def _send(request: Any, **_: Any) -> AWSResponse:
    answer = LocalAws.asked.open(
        request.url.removeprefix(f"http://{HOST}") or "/",
        base_url=f"http://{HOST}",
        method=request.method,
        headers=[(name, _text(value)) for name, value in request.headers.items()],
        data=request.body,
    )
    return AWSResponse(request.url, answer.status_code, dict(answer.headers), Raw(answer.data))


class LocalAws:
    """The application, its folder, and boto3 clients that reach it without a network."""

    asked: ClassVar[Client]  # the application of the running test, which all clients reach

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cluster_file = folder / "cluster.json"
        self.application = Application(
            Options(frozenset({HOST}), self.cluster_file, "127.0.0.1:5001"), folder / "snapshot"
        )
        iam.ensure_operator(folder / "credentials")
        key = iam.iam_backends["123456789012"]["aws"].users["operator"].access_keys[0]
        self.operator = session_of(key.access_key_id, key.secret_access_key)
        LocalAws.asked = self.http = Client(self.application)

    def client(self, service: str, session: boto3.Session | None = None) -> Any:
        """Return a client of SERVICE, the operator's if of no other SESSION."""
        return client_of(session or self.operator, service)

    def get(self, url: str) -> Any:
        """Fetch a URL of this AWS as curl would."""
        return self.http.get(url.removeprefix(f"http://{HOST}"), base_url=f"http://{HOST}")

    def session_of_new_user(self, name: str) -> boto3.Session:
        """Make an IAM user with a key and return its session."""
        admin = self.client("iam")
        admin.create_user(UserName=name)
        key = admin.create_access_key(UserName=name)["AccessKey"]
        return session_of(key["AccessKeyId"], key["SecretAccessKey"])

    def make_cluster(self, name: str = "shop-local") -> dict[str, Any]:
        """Make a VPC's subnet and a cluster in it, as Terraform does."""
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        made: dict[str, Any] = self.client("eks").create_cluster(
            name=name,
            roleArn="arn:aws:iam::123456789012:role/cluster",
            version="1.35",
            resourcesVpcConfig={"subnetIds": [subnet]},
            accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            upgradePolicy={"supportType": "STANDARD"},
        )["cluster"]
        return made


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
