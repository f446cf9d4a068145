"""The variables of an environment, its network and its cluster, in the order of variables.tf."""

from __future__ import annotations

from tests.integration.terraform_row import Row

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
}
