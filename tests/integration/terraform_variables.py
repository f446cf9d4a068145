"""What changes in a plan when one variable of terraform/ changes: a line for each resource and output."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A VALUE unlike the applied one, and all CHANGES it makes, unless PARTLY says why only some are listed.

    With REFUSED there is no plan, and the error has these words. With REFRESH the plan reads what AWS has.
    """

    value: str
    changes: str = ""
    partly: str = ""
    refused: str = ""
    refresh: bool = False

    @property
    def planned(self) -> set[str]:
        return {line.strip() for line in self.changes.strip().splitlines()}


RENAMED = "nearly every resource has the name: the network gets new tags, the rest is replaced"

ROWS = {
    "project": Row(
        "store",
        """
        replace aws_ecr_repository.app
        replace aws_eks_addon.after_nodes["coredns"]
        replace aws_eks_cluster.this
        replace aws_iam_role.ci["deploy"]
        replace aws_lb.this
        replace aws_s3_bucket.alb_logs
        update aws_route53_zone.this[0]
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
        replace aws_iam_role.ci["deploy"]
        replace aws_lb.this
        replace aws_s3_bucket.alb_logs
        update aws_ecr_repository.app
        update aws_route53_zone.this[0]
        update aws_vpc.this
        update output.cluster_name
        """,
        partly=RENAMED,
    ),
    "profile": Row(
        "small",
        """
        delete aws_eks_addon.after_nodes["amazon-cloudwatch-observability"]
        delete aws_subnet.private[2]
        delete aws_vpc_endpoint.interface["logs"]
        delete aws_wafv2_web_acl.this[0]
        delete aws_wafv2_ip_set.deployers[0]
        update aws_budgets_budget.monthly[0]
        update aws_launch_template.node
        replace aws_eks_node_group.main
        """,
        partly="what all the variables after it change that are not set",
    ),
    "region": Row(
        "sa-east-1",
        """
        create aws_ecr_repository.app
        create aws_eks_cluster.this
        create aws_lb.this
        create aws_vpc.this
        update aws_iam_policy.ci["build"]
        update aws_iam_policy.ci["deploy"]
        update aws_iam_role.app
        update aws_iam_role.cloudwatch_agent
        update output.region
        """,
        partly="another region has none of it yet: everything that is not global is created there",
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
        partly="another network replaces everything in it",
    ),
    "zones": Row(
        "2",
        """
        delete aws_route_table.private[2]
        delete aws_subnet.private[2]
        delete aws_subnet.public[2]
        update aws_lb.this
        """,
        partly="everything in the third zone goes",
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
        update aws_wafv2_ip_set.deployers[0]
        """,
    ),
    "interface_endpoints": Row(
        "false",
        """
        delete aws_security_group.endpoints[0]
        delete aws_vpc_endpoint.interface["ecr.api"]
        delete aws_vpc_endpoint.interface["ecr.dkr"]
        delete aws_vpc_endpoint.interface["logs"]
        delete aws_vpc_endpoint.interface["sts"]
        delete aws_vpc_security_group_ingress_rule.endpoints_https[0]
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
    "api_allowed_cidrs": Row(
        '["198.51.100.0/24"]',
        """
        update aws_eks_cluster.this
        update aws_wafv2_ip_set.deployers[0]
        """,
    ),
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
    "node_image_release": Row("1.35.0-20251231", "update aws_eks_node_group.main"),
    "node_min_size": Row("2", "update aws_eks_node_group.main"),
    "node_desired_size": Row("3"),  # decides once, how many there are at first
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
        replace aws_eks_access_policy_association.deployer["ci"]
        replace aws_eks_access_policy_association.deployer["user"]
        replace aws_eks_pod_identity_association.app
        update aws_cloudwatch_metric_alarm.symptom["pod-restarts"]
        update aws_eks_access_entry.deployer["ci"]
        update aws_eks_access_entry.deployer["user"]
        update output.namespace
        """,
    ),
    "app_deployment": Row("web", 'update aws_cloudwatch_metric_alarm.symptom["pod-restarts"]'),
    "app_service_account": Row("web", "replace aws_eks_pod_identity_association.app"),
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
    "review_slots": Row(
        "1",
        """
        create aws_autoscaling_attachment.review["1"]
        create aws_ecr_lifecycle_policy.review[0]
        create aws_ecr_repository.review[0]
        create aws_eks_access_entry.review[0]
        create aws_eks_access_policy_association.review[0]
        create aws_iam_policy.ci["review"]
        create aws_iam_role.ci["review"]
        create aws_iam_role_policy_attachment.ci["review"]
        create aws_lb_listener_rule.review["1"]
        create aws_lb_target_group.review["1"]
        create aws_route53_record.app["review-1.shop.localhost"]
        create aws_route53_record.validation["review-1.shop.localhost"]
        create output.review_repository_url
        replace aws_acm_certificate.this
        replace aws_acm_certificate_validation.this
        replace aws_route53_record.validation["shop.localhost"]
        replace aws_route53_record.validation["www.shop.localhost"]
        update aws_cloudwatch_metric_alarm.symptom["certificate-expiry"]
        update aws_lb_listener.https
        update aws_vpc_security_group_egress_rule.alb_nodes
        update aws_vpc_security_group_ingress_rule.node_alb
        update output.ci_role_arns
        update output.review_slots
        """,
    ),
    "health_path": Row("/healthz", "update aws_lb_target_group.app"),
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
        replace aws_route53_zone.this[0]
        update aws_cloudwatch_metric_alarm.symptom["certificate-expiry"]
        update aws_lb_listener.https
        update output.domain_name
        update output.host_names
        update output.name_servers
        update output.url
        """,
    ),
    "hosted_zone_id": Row("Z0123456789ABCDEFGHIJ", refused="reading Route 53 Hosted Zone (Z0123456789ABCDEFGHIJ)"),
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
    "rate_limit": Row("9000", "update aws_wafv2_web_acl.this[0]"),
    "web_acl_counted_rules": Row('["SizeRestrictions_BODY"]', "update aws_wafv2_web_acl.this[0]"),
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
        update aws_iam_role.ci["apply"]
        update aws_iam_role.ci["build"]
        update aws_iam_role.ci["deploy"]
        update aws_iam_role.ci["plan"]
        """,
    ),
    "gitlab_project_path": Row(
        "example/other",
        """
        update aws_iam_role.ci["apply"]
        update aws_iam_role.ci["build"]
        update aws_iam_role.ci["deploy"]
        update aws_iam_role.ci["plan"]
        """,
    ),
    "gitlab_branch": Row(
        "release",
        """
        update aws_iam_role.ci["apply"]
        update aws_iam_role.ci["build"]
        update aws_iam_role.ci["deploy"]
        """,
    ),
    "github_repository": Row(
        "example/other",
        """
        update aws_iam_role.ci["apply"]
        update aws_iam_role.ci["build"]
        update aws_iam_role.ci["deploy"]
        update aws_iam_role.ci["plan"]
        """,
    ),
    "promotes_to": Row(
        '["arn:aws:iam::222222222222:role/shop-production-ci-build"]', "create aws_ecr_repository_policy.app[0]"
    ),
    "promoted_from": Row(
        "arn:aws:ecr:eu-central-1:111111111111:repository/shop/app", 'update aws_iam_policy.ci["build"]'
    ),
    "web_acl": Row(
        "false",
        """
        delete aws_cloudwatch_log_group.waf[0]
        delete aws_wafv2_web_acl.this[0]
        delete aws_wafv2_ip_set.deployers[0]
        delete aws_wafv2_web_acl_association.alb[0]
        delete aws_wafv2_web_acl_logging_configuration.this[0]
        """,
    ),
    "container_insights": Row(
        "false",
        """
        delete aws_cloudwatch_log_group.containers["application"]
        delete aws_cloudwatch_log_group.containers["dataplane"]
        delete aws_cloudwatch_log_group.containers["host"]
        delete aws_cloudwatch_log_group.containers["performance"]
        delete aws_cloudwatch_metric_alarm.symptom["pod-restarts"]
        delete aws_eks_addon.after_nodes["amazon-cloudwatch-observability"]
        delete aws_eks_pod_identity_association.cloudwatch_agent[0]
        delete aws_iam_role.cloudwatch_agent[0]
        delete aws_iam_role_policy_attachment.cloudwatch_agent[0]
        """,
    ),
    "detailed_monitoring": Row(
        "false",
        """
        update aws_eks_node_group.main
        update aws_launch_template.node
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
        update aws_cloudwatch_log_group.waf[0]
        update aws_s3_bucket_lifecycle_configuration.alb_logs
        """,
    ),
    "alarm_email": Row("oncall@example.com", "create aws_sns_topic_subscription.email[0]"),
    "latency_threshold_seconds": Row("2", 'update aws_cloudwatch_metric_alarm.symptom["latency-p95"]'),
    "monthly_budget_usd": Row("600", "update aws_budgets_budget.monthly[0]"),
}

# The others take some minutes and run with `-m slow`.
QUICK = (
    "allowed_account_ids",
    "api_allowed_cidrs",
    "deletion_protection",
    "log_retention_days",
    "node_port",
    "vpc_cidr",
)
