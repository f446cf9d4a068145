"""A local AWS in this process, called through WSGI: no port, no other process."""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import boto3
import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.loaders import Loader
from werkzeug.test import Client

from localcloud.aws import iam
from localcloud.aws.options import Options
from localcloud.aws.server import Application
from localcloud.secret import login

HOST = "127.0.0.1:4566"
REGION = "eu-west-1"
SECRET = "of-this-environment"  # pragma: allowlist secret


# Service models are large: read once for all sessions, as a client is made once for all tests.
LOADER = Loader()


class Raw(io.BytesIO):
    """The body in the form that botocore reads."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


@functools.cache
def session_of(key: str, secret: str, token: str | None = None) -> boto3.Session:
    """Return a session with these credentials."""
    core = botocore.session.get_session()
    core.register_component("data_loader", LOADER)
    return boto3.Session(key, secret, token, region_name=REGION, botocore_session=core)


@functools.cache
def client_of(session: boto3.Session, service: str, region: str) -> Any:
    """Return a boto3 client that signs and parses as usual and sends through WSGI."""
    client = session.client(service, endpoint_url=f"http://{HOST}", region_name=region)  # type: ignore[call-overload]
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
        self.parent = folder / "parent.zone"
        keys = {"secret": SECRET, "issuers": folder / "issuers.json"}
        options = Options(frozenset({HOST}), self.cluster_file, "127.0.0.1:5001", parent=self.parent, **keys)
        self.application = Application(options, folder / "snapshot")
        iam.ensure_operator(folder / "credentials")
        key = iam.iam_backends["123456789012"]["aws"].users["operator"].access_keys[0]
        self.operator = session_of(key.access_key_id, key.secret_access_key)
        LocalAws.asked = self.http = Client(self.application)

    def client(self, service: str, session: boto3.Session | None = None, region: str = REGION) -> Any:
        """Return a client of SERVICE for SESSION, by default the operator's."""
        return client_of(session or self.operator, service, region)

    def get(self, url: str) -> Any:
        """Fetch a URL of this AWS as curl would."""
        return self.http.get(url.removeprefix(f"http://{HOST}"), base_url=f"http://{HOST}")

    def own(self, method: str, route: str, **options: Any) -> Any:
        """Call one of our own routes as Longshore does."""
        return self.http.open(
            f"/_local/{route}",
            method=method,
            base_url=f"http://{HOST}",
            headers={"Authorization": login(SECRET)},
            **options,
        )

    def session_of_new_user(self, name: str) -> boto3.Session:
        """Create an IAM user with a key and return its session."""
        admin = self.client("iam")
        admin.create_user(UserName=name)
        key = admin.create_access_key(UserName=name)["AccessKey"]
        return session_of(key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, name: str) -> str:
        """Create an IAM role unless it exists, and return its ARN; NAME may begin with a path."""
        path, _, short = name.rpartition("/")
        trust = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        admin = self.client("iam")
        with contextlib.suppress(admin.exceptions.EntityAlreadyExistsException):
            where = f"/{path}/" if path else "/"
            admin.create_role(RoleName=short, Path=where, AssumeRolePolicyDocument=document)
        return f"arn:aws:iam::123456789012:role/{name}"

    def make_subnets(self, region: str = REGION, count: int = 2) -> list[str]:
        """Create COUNT subnets, each in a zone of its own."""
        ec2 = self.client("ec2", region=region)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]]
        return [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for number, zone in enumerate(zones[:count])
        ]

    def make_cluster(
        self,
        name: str = "shop-local",
        *,
        subnets: list[str] | None = None,
        region: str = REGION,
        version: str = "1.35",
        role: str = "",
    ) -> dict[str, Any]:
        """Create a cluster, as Terraform does, with subnets and role of its own unless given."""
        made: dict[str, Any] = self.client("eks", region=region).create_cluster(
            name=name,
            roleArn=role or self.role("cluster"),
            version=version,
            resourcesVpcConfig={"subnetIds": subnets or self.make_subnets(region)},
            accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
            upgradePolicy={"supportType": "STANDARD"},
        )["cluster"]
        return made


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
