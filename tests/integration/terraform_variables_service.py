"""The variables of the application, its pipelines and what watches it, in the order of variables.tf."""

from __future__ import annotations

from tests.integration.terraform_row import Row

ROWS = {
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
