"""Whether the credentials may do what `infra.bootstrap` and `infra.apply` do, as IAM's own simulation says.

It knows the policies of the user or role and its boundary, not those of resources, nor all conditions.
"""

from __future__ import annotations

from collections.abc import Iterator

from longshore import aws
from longshore.doctor.account import principal
from longshore.doctor.finding import Finding, Place

# What each service that terraform/ uses is asked first; who may do these rarely lacks the rest.
ACTIONS = (
    "acm:RequestCertificate",
    "autoscaling:AttachLoadBalancerTargetGroups",
    "budgets:ModifyBudget",
    "cloudwatch:PutDashboard",
    "cloudwatch:PutMetricAlarm",
    "ec2:AllocateAddress",
    "ec2:CreateFlowLogs",
    "ec2:CreateLaunchTemplate",
    "ec2:CreateNatGateway",
    "ec2:CreateSecurityGroup",
    "ec2:CreateSubnet",
    "ec2:CreateVpc",
    "ec2:CreateVpcEndpoint",
    "ec2:RunInstances",
    "ecr:CreateRepository",
    "ecr:GetAuthorizationToken",
    "eks:AssociateAccessPolicy",
    "eks:CreateAccessEntry",
    "eks:CreateAddon",
    "eks:CreateCluster",
    "eks:CreateNodegroup",
    "eks:CreatePodIdentityAssociation",
    "elasticloadbalancing:CreateListener",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
    "iam:AttachRolePolicy",
    "iam:CreateOpenIDConnectProvider",
    "iam:CreatePolicy",
    "iam:CreateRole",
    "iam:CreateServiceLinkedRole",
    "iam:CreateUser",
    "iam:PassRole",
    "kms:CreateAlias",
    "kms:CreateKey",
    "logs:CreateLogGroup",
    "logs:PutRetentionPolicy",
    "route53:ChangeResourceRecordSets",
    "route53:CreateHostedZone",
    "s3:CreateBucket",
    "s3:PutBucketPolicy",
    "s3:PutObject",
    "sns:CreateTopic",
    "wafv2:AssociateWebACL",
    "wafv2:CreateWebACL",
)
SHOWN = 8  # actions in a row


def check(place: Place) -> Iterator[Finding]:
    """Yield which of the actions the credentials do not permit."""
    what = "permission to bootstrap and apply"
    with aws.errors(what):
        arn = principal(place)
        if arn.endswith(":root"):
            yield Finding(True, f"{what}: the account's root user may do everything; a role is safer")
            return
        pages = aws.client(place.environment, "iam").get_paginator("simulate_principal_policy")
        results = [
            result
            for page in pages.paginate(PolicySourceArn=arn, ActionNames=list(ACTIONS))
            for result in page["EvaluationResults"]
        ]
    denied = sorted(each["EvalActionName"] for each in results if each["EvalDecision"] != "allowed")
    more = f" and {len(denied) - SHOWN} more" if len(denied) > SHOWN else ""
    advice = f"{arn} lacks {', '.join(denied[:SHOWN])}{more}"
    yield Finding(not denied, f"{what}: {len(results) - len(denied)} of {len(results)} actions", advice)
