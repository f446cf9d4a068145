from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.ports import STATE_HEADER
from tests.unit.localcloud.aws.local_aws import HOST, REGION, LocalAws, session_of


def code_of(problem: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    answer: Any = problem.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


UNIMPLEMENTED = {
    "eks": ("list_insights", {"clusterName": "x"}, "/clusters/x/insights"),
    "ec2": ("describe_capacity_block_offerings", {"CapacityDurationHours": 24}, "DescribeCapacityBlockOfferings"),
    "iam": ("list_organizations_features", {}, "ListOrganizationsFeatures"),
    "budgets": (
        "describe_budget_actions_for_account",
        {"AccountId": "123456789012"},
        "DescribeBudgetActionsForAccount",
    ),
}


@pytest.mark.parametrize("service", UNIMPLEMENTED)
def test_an_unsupported_call_is_a_400_that_names_it(aws: LocalAws, service: str) -> None:
    method, arguments, name = UNIMPLEMENTED[service]
    with pytest.raises(ClientError) as problem:
        getattr(aws.client(service), method)(**arguments)
    status, code, message = code_of(problem)
    assert (status, code) == (400, "UnsupportedOperation")
    assert f"{service} " in message
    assert name in message


@pytest.mark.parametrize("service", ["sts", "ec2", "eks", "s3"])
def test_a_wrong_secret_is_refused_in_the_format_of_the_service(aws: LocalAws, service: str) -> None:
    credentials = aws.operator.get_credentials()
    assert credentials
    forged = session_of(credentials.access_key, "x" * 40)
    calls = {"sts": "get_caller_identity", "ec2": "describe_vpcs", "eks": "list_clusters", "s3": "list_buckets"}
    with pytest.raises(ClientError) as problem:
        getattr(aws.client(service, forged), calls[service])()
    assert code_of(problem)[:2] == (403, "SignatureDoesNotMatch")


def test_an_unknown_key_is_refused(aws: LocalAws) -> None:
    stranger = session_of("AKIAIOSFODNN7EXAMPLE", "x" * 40)
    with pytest.raises(ClientError) as problem:
        aws.client("sts", stranger).get_caller_identity()
    assert code_of(problem)[:2] == (403, "InvalidClientTokenId")


def test_an_unsigned_call_is_refused(aws: LocalAws) -> None:
    answer = aws.http.post("/", base_url=f"http://{HOST}", data={"Action": "ListUsers", "Version": "2010-05-08"})
    assert answer.status_code == 403
    assert b"MissingAuthenticationToken" in answer.data


def test_the_operator_is_the_user_whom_terraform_makes_an_administrator(aws: LocalAws) -> None:
    assert aws.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::123456789012:user/operator"
    assert (aws.folder / "credentials").stat().st_mode & 0o777 == 0o600


def test_objects_are_kept_with_encoded_names_and_read_back(aws: LocalAws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="state", Key="a b/ü+=&.tfstate", Body=io.BytesIO(b"{}"))
    assert s3.get_object(Bucket="state", Key="a b/ü+=&.tfstate")["Body"].read() == b"{}"


def test_a_presigned_identity_answers_as_sts(aws: LocalAws) -> None:
    url = aws.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    answer = aws.get(url)
    assert answer.status_code == 200
    assert b"user/operator" in answer.data


def test_a_presigned_identity_that_was_altered_is_refused(aws: LocalAws) -> None:
    url = aws.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert aws.get(url.replace("Expires=3600", "Expires=9999")).status_code == 403


def test_an_unknown_local_route_is_not_found(aws: LocalAws) -> None:
    for route in ("other", "save", ""):
        assert aws.own("GET", route).status_code == 404


def test_the_registry_in_answers_is_the_real_one(aws: LocalAws) -> None:
    ecr = aws.client("ecr")
    made = ecr.create_repository(repositoryName="shop/app")["repository"]
    assert made["repositoryUri"] == "127.0.0.1:5001/shop/app"
    assert ecr.get_authorization_token()["authorizationData"][0]["proxyEndpoint"] == "http://127.0.0.1:5001"


def test_a_certificate_is_issued_once_its_records_are_in_the_zone(aws: LocalAws) -> None:
    acm, dns = aws.client("acm"), aws.client("route53")
    arn = acm.request_certificate(
        DomainName="shop.localhost", SubjectAlternativeNames=["www.shop.localhost"], ValidationMethod="DNS"
    )["CertificateArn"]

    def described() -> Any:
        return acm.describe_certificate(CertificateArn=arn)["Certificate"]

    records = [option["ResourceRecord"] for option in described()["DomainValidationOptions"]]
    assert len({record["Name"] for record in records}) == 2
    zone = dns.create_hosted_zone(Name="shop.localhost", CallerReference="1")["HostedZone"]["Id"]
    for record in records:
        assert described()["Status"] == "PENDING_VALIDATION"
        entry = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
        dns.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": entry}]}
        )
    assert described()["Status"] == "ISSUED"


def requested(aws: LocalAws, domain: str) -> tuple[str, list[str]]:
    """A certificate whose record is in a new zone of DOMAIN: its ARN, and the zone's name servers."""
    acm, dns = aws.client("acm"), aws.client("route53")
    arn = acm.request_certificate(DomainName=domain, ValidationMethod="DNS")["CertificateArn"]
    described = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    record = described["DomainValidationOptions"][0]["ResourceRecord"]
    made = dns.create_hosted_zone(Name=domain, CallerReference=arn)
    entry = {"Name": record["Name"], "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": record["Value"]}]}
    dns.change_resource_record_sets(
        HostedZoneId=made["HostedZone"]["Id"],
        ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": entry}]},
    )
    return arn, made["DelegationSet"]["NameServers"]


def status(aws: LocalAws, arn: str) -> str:
    return str(aws.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]["Status"])


def test_a_certificate_waits_for_the_delegation_of_its_zone(aws: LocalAws) -> None:
    arn, servers = requested(aws, "shop.example.com")
    assert status(aws, arn) == "PENDING_VALIDATION"
    aws.parent.write_text("shop.example.com. 172800 IN NS ns-1.elsewhere.example.\n")
    assert status(aws, arn) == "PENDING_VALIDATION", "it is delegated to others"
    aws.parent.write_text(f"; at the registrar\nshop.example.com. 172800 IN NS {servers[0]}.\n")
    assert status(aws, arn) == "ISSUED"


def test_a_zone_that_is_made_again_has_other_name_servers(aws: LocalAws) -> None:
    _, servers = requested(aws, "shop.example.com")
    dns = aws.client("route53")
    zone = dns.list_hosted_zones()["HostedZones"][0]["Id"]
    assert dns.get_hosted_zone(Id=zone)["DelegationSet"]["NameServers"] == servers
    _, others = requested(aws, "shop.example.com")
    assert not {*servers} & {*others}
    assert len({*servers, *others}) == 8


def test_a_budget_keeps_tags_subscribers_and_changes(aws: LocalAws) -> None:
    budgets = aws.client("budgets")
    account = "123456789012"
    budget = {
        "BudgetName": "monthly",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "5", "Unit": "USD"},
    }
    note = {"NotificationType": "FORECASTED", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    who = [{"SubscriptionType": "SNS", "Address": "arn:aws:sns:eu-central-1:123456789012:alarms"}]
    budgets.create_budget(
        AccountId=account,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": note, "Subscribers": who}],
        ResourceTags=[{"Key": "a", "Value": "1"}],
    )
    arn = f"arn:aws:budgets::{account}:budget/monthly"
    budgets.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "b", "Value": "2"}])
    budgets.untag_resource(ResourceARN=arn, ResourceTagKeys=["a"])
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "b", "Value": "2"}]
    answer = budgets.describe_subscribers_for_notification(AccountId=account, BudgetName="monthly", Notification=note)
    assert answer["Subscribers"] == who
    budgets.update_budget(AccountId=account, NewBudget={**budget, "BudgetLimit": {"Amount": "9", "Unit": "USD"}})
    assert budgets.describe_budget(AccountId=account, BudgetName="monthly")["Budget"]["BudgetLimit"]["Amount"] == "9"


def test_a_caller_that_means_another_environment_s_aws_is_told(aws: LocalAws) -> None:
    for folder, status in ((str(aws.folder), 200), ("/somebody/elses/aws", 421)):
        answer = aws.http.get("/_local/health", base_url=f"http://{HOST}", headers={STATE_HEADER: folder})
        assert answer.status_code == status
