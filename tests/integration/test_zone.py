"""A first deployment to a domain that nobody has delegated yet: the real Terraform, the local AWS, DNS on loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest

from longshore.errors import Precondition
from longshore.infra.infra import Infra
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.tasks.world import World
from tests.integration.aws_process import REGION, ROOT, AwsProcess
from tests.unit.sources import snapshot_of

DOMAIN = "shop.example.com"


@dataclass
class Place:
    """An environment of the domain, and the AWS that it is in."""

    aws: AwsProcess
    infra: Infra

    @property
    def certificate(self) -> str:
        acm = self.aws.client("acm")
        summaries = acm.list_certificates()["CertificateSummaryList"]
        arns = [each["CertificateArn"] for each in summaries]
        statuses = [acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] for arn in arns]
        return " ".join(statuses) or "none"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("zone")
    project = folder / "shop"
    shutil.copytree(ROOT / "terraform", project / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    variables = project / "terraform" / "environments" / "local.tfvars"
    variables.write_text(variables.read_text().replace('"shop.localhost"', f'"{DOMAIN}"'))
    aws = AwsProcess(folder, dns=True)
    text = (ROOT / "longshore.toml").read_text(encoding="utf-8").replace("aws_port = 4566", f"aws_port = {aws.port}")
    text = text.replace('region = "eu-central-1"', f'region = "{REGION}"')
    (project / "longshore.toml").write_text(text, encoding="utf-8")
    environ = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    settings = load(project, environ)
    local = settings.environment("local").local
    assert local
    aws.folder = local.state / "aws"
    aws.folder.mkdir(parents=True)
    aws.errors = folder / "errors"
    aws.start()
    try:
        infra = World(settings, "local", Runner(environ), lambda: snapshot_of(project)).infra
        asked = msgspec.structs.replace(infra.environment, resolvers=[f"127.0.0.1:{aws.dns_port}"], approve="manual")
        infra = msgspec.structs.replace(infra, environment=asked)
        infra.bucket.ensure()
        yield Place(aws, infra)
    finally:
        aws.end(kill=True)


def progress(*_: object) -> None:
    pass


def test_the_zone_alone_is_planned_first(place: Place) -> None:
    assert [change.address for change in place.infra.review(progress).changes] == ["aws_route53_zone.this[0]"]


def test_the_apply_ends_with_the_records_to_enter_and_exit_3(place: Place) -> None:
    with pytest.raises(Precondition, match="not known to be delegated") as refused:
        place.infra.apply(progress)
    assert refused.value.exit_code == 3
    zone = place.aws.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]
    servers = place.aws.client("route53").get_hosted_zone(Id=zone)["DelegationSet"]["NameServers"]
    records = refused.value.detail.splitlines()
    assert records == [f"{DOMAIN}. 172800 IN NS {server}." for server in sorted(servers)]
    assert place.certificate == "none"
    assert sorted(place.infra.values()["name_servers"]) == sorted(servers)


def test_the_rest_is_refused_before_the_delegation(place: Place) -> None:
    assert len(place.infra.review(progress).changes) > 100
    with pytest.raises(Precondition, match="not known to be delegated"):
        place.infra.apply(progress)
    assert place.certificate == "none"


@pytest.mark.slow
def test_the_rest_is_applied_after_the_delegation(place: Place) -> None:
    place.infra.review(progress)
    with pytest.raises(Precondition, match="not known to be delegated") as refused:
        place.infra.apply(progress)
    (place.aws.folder / "parent.zone").write_text(refused.value.detail)
    place.infra.review(progress)
    outputs = place.infra.apply(progress).outputs
    assert place.certificate == "ISSUED"
    assert outputs.url == f"https://{DOMAIN}:8443"
    assert place.infra.review(progress).changes == []
