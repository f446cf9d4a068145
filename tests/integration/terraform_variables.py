"""What each variable of terraform/ changes when it alone is changed: one line for each resource and output, as a plan has it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """VALUE in place of what the root was applied with, and the CHANGES that it makes: all of them, unless PARTLY says why not.

    With REFUSED there is no plan, and the error holds these words. With REFRESH the plan asks AWS what there is.
    """

    value: str
    changes: str = ""
    partly: str = ""
    refused: str = ""
    refresh: bool = False

    @property
    def planned(self) -> set[str]:
        return {line.strip() for line in self.changes.strip().splitlines()}


RENAMED = (
    "a name is in nearly every resource: the network keeps its own and gets other tags, the rest is made anew"
)

ROWS = {
    "project": Row(
        "store",
        """
        replace aws_ecr_repository.app
        replace aws_eks_addon.after_nodes["coredns"]
        replace aws_eks_cluster.this
        replace aws_iam_role.gitlab["deploy"]
        replace aws_lb.this
        replace aws_s3_bucket.alb_logs
        update aws_route53_zone.this
        update aws_vpc.this
        update output.cluster_name
        """,
        partly=RENAMED,
    ),
    "environment": Row(
        "other",
        """
        replace aws_eks_addon.after_nodes["coredns"]
        replace aws_eks_cluster.this
        replace aws_iam_role.gitlab["deploy"]
        replace aws_lb.this
        replace aws_s3_bucket.alb_logs
        update aws_ecr_repository.app
        update aws_route53_zone.this
        update aws_vpc.this
        update output.cluster_name
        """,
        partly=RENAMED,
    ),
    "region": Row(
        "eu-west-1",
        """
        create aws_ecr_repository.app
        create aws_eks_cluster.this
        create aws_lb.this
        create aws_vpc.this
        update aws_iam_policy.gitlab_deploy
        update output.region
        """,
        partly="another region has nothing of it yet: all is created there that is not global",
        refresh=True,
    ),
    "allowed_account_ids": Row('["999999999999"]', refused="AWS account ID not allowed: 123456789012"),
    "vpc_cidr": Row(
        "10.50.0.0/16",
        """
        replace aws_eks_access_entry.deployer["user"]
        replace aws_eks_addon.after_nodes["coredns"]
        replace aws_eks_cluster.this
        replace aws_eks_node_group.main
        replace aws_internet_gateway.this
        replace aws_lb.this
        replace aws_lb_target_group.app
        replace aws_nat_gateway.this[0]
        replace aws_security_group.node
        replace aws_subnet.private[2]
        replace aws_subnet.public[0]
        replace aws_vpc.this
        replace aws_vpc_endpoint.s3
        update aws_route53_record.app["shop.localhost"]
        update output.cluster_endpoint
        """,
        partly="another network is another everything that stands in it",
    ),
    "single_nat_gateway": Row(
        "false",
        """
        create aws_eip.nat[1]
        create aws_eip.nat[2]
        create aws_nat_gateway.this[1]
        create aws_nat_gateway.this[2]
        update aws_route.private_nat[1]
        update aws_route.private_nat[2]
        """,
    ),
    "kubernetes_version": Row(
        "1.36",
        """
        update aws_eks_cluster.this
        update aws_eks_node_group.main
        """,
    ),
    "addon_versions": Row(
        '{"vpc-cni"="v1.21.1-eksbuild.3","kube-proxy"="v1.35.0-eksbuild.2","coredns"="v1.13.2-eksbuild.9",'
        '"eks-pod-identity-agent"="v1.3.10-eksbuild.3","metrics-server"="v0.8.1-eksbuild.6",'
        '"amazon-cloudwatch-observability"="v5.3.0-eksbuild.1"}',
        'update aws_eks_addon.after_nodes["coredns"]',
    ),
    "api_allowed_cidrs": Row('["198.51.100.0/24"]', "update aws_eks_cluster.this"),
    "admin_principal_arns": Row(
        '["arn:aws:iam::123456789012:user/operator","arn:aws:iam::123456789012:role/platform-admin"]',
        """
        create aws_eks_access_entry.admin["arn:aws:iam::123456789012:role/platform-admin"]
        create aws_eks_access_policy_association.admin["arn:aws:iam::123456789012:role/platform-admin"]
        """,
    ),
    "node_instance_types": Row(
        '["m6i.xlarge"]',
        """
        replace aws_autoscaling_attachment.nodes
        replace aws_eks_node_group.main
        """,
    ),
    "node_min_size": Row("2", "update aws_eks_node_group.main"),
    "node_desired_size": Row("3", "update aws_eks_node_group.main"),
    "node_max_size": Row("4", "update aws_eks_node_group.main"),
    "node_disk_gib": Row(
        "60",
        """
        update aws_eks_node_group.main
        update aws_launch_template.node
        """,
    ),
    "app_namespace": Row(
        "web",
        """
        replace aws_eks_access_policy_association.deployer["gitlab"]
        replace aws_eks_access_policy_association.deployer["user"]
        replace aws_eks_pod_identity_association.app
        update aws_cloudwatch_metric_alarm.symptom["pod-restarts"]
        update aws_eks_access_entry.deployer["gitlab"]
        update aws_eks_access_entry.deployer["user"]
        update output.namespace
        """,
    ),
    "node_port": Row(
        "30081",
        """
        replace aws_autoscaling_attachment.nodes
        replace aws_lb_target_group.app
        update aws_cloudwatch_metric_alarm.symptom["latency-p95"]
        update aws_cloudwatch_metric_alarm.symptom["no-healthy-host"]
        update aws_cloudwatch_metric_alarm.symptom["unhealthy-hosts"]
        update aws_lb_listener.https
        update aws_vpc_security_group_egress_rule.alb_nodes
        update aws_vpc_security_group_ingress_rule.node_alb
        update output.node_port
        """,
    ),
    "domain_name": Row(
        "other.localhost",
        """
        create aws_route53_record.app["other.localhost"]
        create aws_route53_record.app["www.other.localhost"]
        create aws_route53_record.validation["other.localhost"]
        create aws_route53_record.validation["www.other.localhost"]
        delete aws_route53_record.app["shop.localhost"]
        delete aws_route53_record.app["www.shop.localhost"]
        delete aws_route53_record.validation["shop.localhost"]
        delete aws_route53_record.validation["www.shop.localhost"]
        replace aws_acm_certificate.this
        replace aws_acm_certificate_validation.this
        replace aws_route53_zone.this
        update aws_cloudwatch_metric_alarm.symptom["certificate-expiry"]
        update aws_lb_listener.https
        update output.domain_name
        update output.name_servers
        update output.url
        """,
    ),
    "http_port": Row(
        "8081",
        """
        update aws_lb_listener.http
        update aws_vpc_security_group_ingress_rule.alb["http"]
        update output.http_port
        """,
    ),
    "https_port": Row(
        "8444",
        """
        update aws_lb_listener.http
        update aws_lb_listener.https
        update aws_vpc_security_group_ingress_rule.alb["https"]
        update output.https_port
        update output.url
        """,
    ),
    "deletion_protection": Row(
        "true",
        """
        update aws_ecr_repository.app
        update aws_lb.this
        update aws_s3_bucket.alb_logs
        """,
    ),
    "gitlab_url": Row(
        "https://gitlab.example.com",
        """
        replace aws_iam_openid_connect_provider.gitlab
        update aws_iam_role.gitlab["apply"]
        update aws_iam_role.gitlab["deploy"]
        update aws_iam_role.gitlab["plan"]
        """,
    ),
    "gitlab_project_path": Row(
        "example/other",
        """
        update aws_iam_role.gitlab["apply"]
        update aws_iam_role.gitlab["deploy"]
        update aws_iam_role.gitlab["plan"]
        """,
    ),
    "gitlab_branch": Row(
        "release",
        """
        update aws_iam_role.gitlab["apply"]
        update aws_iam_role.gitlab["deploy"]
        """,
    ),
    "log_retention_days": Row(
        "14",
        """
        update aws_cloudwatch_log_group.containers["application"]
        update aws_cloudwatch_log_group.containers["dataplane"]
        update aws_cloudwatch_log_group.containers["host"]
        update aws_cloudwatch_log_group.containers["performance"]
        update aws_cloudwatch_log_group.eks
        update aws_cloudwatch_log_group.flow
        update aws_cloudwatch_log_group.waf
        update aws_s3_bucket_lifecycle_configuration.alb_logs
        """,
    ),
    "alarm_email": Row("oncall@example.com", "create aws_sns_topic_subscription.email[0]"),
    "latency_threshold_seconds": Row("2", 'update aws_cloudwatch_metric_alarm.symptom["latency-p95"]'),
    "monthly_budget_usd": Row("600", "update aws_budgets_budget.monthly[0]"),
}

# The rest takes some minutes and is asked for with `-m slow`.
QUICK = (
    "allowed_account_ids",
    "api_allowed_cidrs",
    "deletion_protection",
    "log_retention_days",
    "node_port",
    "vpc_cidr",
)
