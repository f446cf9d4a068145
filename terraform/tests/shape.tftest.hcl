# What an environment consists of: its profile, its region, and what AWS or a person changed meanwhile.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment         = "production"
  domain_name         = "shop.example.com"
  gitlab_project_path = "example/shop"
}

run "small_is_two_zones_and_only_what_serving_takes" {
  command = plan

  variables {
    profile = "small"
  }

  assert {
    condition     = length(aws_subnet.private) == 2 && length(aws_subnet.public) == 2
    error_message = "Two zones."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_vpc_endpoint.interface) == 0 && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "One NAT gateway, and of the endpoints only the one that costs nothing."
  }

  assert {
    condition     = length(aws_wafv2_web_acl.this) == 0 && length(aws_wafv2_web_acl_association.alb) == 0 && length(aws_cloudwatch_log_group.waf) == 0
    error_message = "No web ACL."
  }

  assert {
    condition     = keys(aws_eks_addon.after_nodes) == ["coredns", "metrics-server"] && length(aws_eks_pod_identity_association.cloudwatch_agent) == 0
    error_message = "No CloudWatch add-on."
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.containers) == 0 && !contains(keys(aws_cloudwatch_metric_alarm.symptom), "pod-restarts")
    error_message = "No log group and no alarm that only the CloudWatch add-on would fill."
  }

  assert {
    condition     = aws_eks_node_group.main.instance_types == tolist(["t3.medium"]) && aws_eks_node_group.main.scaling_config[0].desired_size == 2 && !aws_launch_template.node.monitoring[0].enabled
    error_message = "Two small nodes with basic monitoring."
  }

  assert {
    condition     = aws_eks_node_group.main.node_repair_config[0].enabled
    error_message = "A node that is not ready is replaced, in every profile."
  }
}

run "standard_is_three_zones_with_one_nat_gateway" {
  command = plan

  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_nat_gateway.this) == 1 && length(aws_vpc_endpoint.interface) == 0
    error_message = "Three zones, one NAT gateway, no interface endpoints."
  }

  assert {
    condition     = length(aws_wafv2_web_acl.this) == 1 && length(aws_eks_addon.after_nodes) == 3 && length(aws_cloudwatch_log_group.containers) == 4
    error_message = "With a web ACL and the CloudWatch add-on."
  }

  assert {
    condition     = aws_eks_node_group.main.instance_types == tolist(["m6i.large"]) && aws_eks_node_group.main.scaling_config[0].desired_size == 3
    error_message = "Three nodes."
  }
}

run "large_survives_the_loss_of_a_zone" {
  command = plan

  variables {
    profile = "large"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_vpc_endpoint.interface) == 4 && length(aws_wafv2_web_acl.this) == 1
    error_message = "A NAT gateway in each zone, and endpoints."
  }

  assert {
    condition     = aws_launch_template.node.monitoring[0].enabled && aws_eks_node_group.main.scaling_config[0].max_size == 9
    error_message = "Detailed monitoring, and room to grow."
  }
}

run "each_switch_overrides_its_profile" {
  command = plan

  variables {
    profile             = "small"
    zones               = 3
    single_nat_gateway  = false
    interface_endpoints = true
    web_acl             = true
    container_insights  = true
    detailed_monitoring = true
    node_instance_types = ["m7g.large"]
    node_min_size       = 5
    node_disk_gib       = 40
    monthly_budget_usd  = 50
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_vpc_endpoint.interface) == 4 && length(aws_wafv2_web_acl.this) == 1 && length(aws_eks_addon.after_nodes) == 3 && aws_launch_template.node.monitoring[0].enabled
    error_message = "A switch wins over the profile."
  }

  assert {
    condition     = aws_eks_node_group.main.ami_type == "AL2023_ARM_64_STANDARD" && output.node_architecture == "arm64"
    error_message = "Graviton instances get the image for them."
  }

  assert {
    condition     = aws_eks_node_group.main.scaling_config[0].min_size == 5 && aws_eks_node_group.main.scaling_config[0].desired_size == 5 && aws_eks_node_group.main.scaling_config[0].max_size == 6
    error_message = "The sizes that are not set follow the one that is."
  }

  assert {
    condition     = aws_launch_template.node.block_device_mappings[0].ebs[0].volume_size == 40 && aws_budgets_budget.monthly[0].limit_amount == "50.0"
    error_message = "Disk and budget as well."
  }
}

# --- regions --------------------------------------------------------------------

run "a_region_of_two_zones_gets_two" {
  command = plan

  variables {
    region = "us-west-1"
  }

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["us-west-1a", "us-west-1b"] }
  }

  assert {
    condition     = length(aws_subnet.private) == 2 && length(aws_route.private_nat) == 2
    error_message = "No more subnets than zones."
  }
}

run "a_region_of_one_zone_is_refused" {
  command = plan

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["eu-central-1a"] }
  }

  expect_failures = [data.aws_availability_zones.available]
}

run "zones_that_eks_does_not_take_are_left_out" {
  command = plan

  variables {
    region = "us-east-1"
  }

  assert {
    condition     = data.aws_availability_zones.available.exclude_zone_ids == toset(["cac1-az3", "use1-az3", "usw1-az2"])
    error_message = "https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html"
  }
}

run "the_smallest_network_still_has_room_for_a_load_balancer" {
  command = plan

  variables {
    vpc_cidr = "10.60.16.0/20"
  }

  assert {
    condition     = [for subnet in aws_subnet.public : subnet.cidr_block] == ["10.60.16.0/27", "10.60.16.32/27", "10.60.16.64/27"]
    error_message = "A load balancer needs a /27."
  }

  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.60.17.0/24", "10.60.18.0/24", "10.60.19.0/24"]
    error_message = "Nodes and pods get the rest."
  }
}

run "the_usual_network_is_divided_as_before" {
  command = plan

  assert {
    condition     = aws_subnet.public[2].cidr_block == "10.40.2.0/24" && aws_subnet.private[0].cidr_block == "10.40.16.0/20"
    error_message = "Another division would replace the network."
  }
}

run "china_has_its_own_partition_and_names" {
  command = plan

  variables {
    region = "cn-north-1"
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }

  assert {
    condition     = startswith(aws_iam_role_policy_attachment.cluster.policy_arn, "arn:aws-cn:") && startswith(local.arns.cluster, "arn:aws-cn:eks:cn-north-1:")
    error_message = "No ARN is of the partition aws."
  }

  assert {
    condition     = local.service_principals.node == "ec2.amazonaws.com.cn" && local.service_principals.cluster == "eks.amazonaws.com" && local.service_principals.logs == "logs.cn-north-1.amazonaws.com.cn"
    error_message = "EC2 and CloudWatch Logs have names of their own in China."
  }
}

run "govcloud_has_its_own_partition" {
  command = plan

  variables {
    region = "us-gov-west-1"
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }

  assert {
    condition     = alltrue([for a in aws_eks_access_policy_association.deployer : startswith(a.policy_arn, "arn:aws-us-gov:eks::aws:")]) && local.service_principals.node == "ec2.amazonaws.com"
    error_message = "No ARN is of the partition aws."
  }
}

# --- what moves by itself ---------------------------------------------------------

run "a_control_plane_that_aws_upgraded_stays_where_it_is_and_nodes_wait" {
  command = plan

  override_data {
    target = data.aws_eks_clusters.all
    values = { names = ["shop-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.live[0]
    values = { version = "1.36" }
  }

  override_data {
    target = data.aws_eks_node_groups.live[0]
    values = { names = ["main"] }
  }

  override_data {
    target = data.aws_eks_node_group.live[0]
    values = { version = "1.35", scaling_config = [{ desired_size = 3, min_size = 3, max_size = 6 }] }
  }

  assert {
    condition     = aws_eks_cluster.this.version == "1.36" && aws_eks_node_group.main.version == "1.35"
    error_message = "Terraform never asks for a downgrade, and does not upgrade nodes that nobody asked about."
  }

  expect_failures = [check.kubernetes_version]
}

run "nodes_that_somebody_added_stay" {
  command = plan

  override_data {
    target = data.aws_eks_clusters.all
    values = { names = ["shop-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.live[0]
    values = { version = "1.35" }
  }

  override_data {
    target = data.aws_eks_node_groups.live[0]
    values = { names = ["main"] }
  }

  override_data {
    target = data.aws_eks_node_group.live[0]
    values = { version = "1.35", scaling_config = [{ desired_size = 5, min_size = 3, max_size = 6 }] }
  }

  assert {
    condition     = aws_eks_node_group.main.scaling_config[0].desired_size == 5
    error_message = "The autoscaler or a person decided that."
  }
}

run "nodes_beyond_a_new_maximum_go" {
  command = plan

  variables {
    node_max_size = 4
  }

  override_data {
    target = data.aws_eks_clusters.all
    values = { names = ["shop-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.live[0]
    values = { version = "1.35" }
  }

  override_data {
    target = data.aws_eks_node_groups.live[0]
    values = { names = ["main"] }
  }

  override_data {
    target = data.aws_eks_node_group.live[0]
    values = { version = "1.35", scaling_config = [{ desired_size = 5, min_size = 3, max_size = 6 }] }
  }

  assert {
    condition     = aws_eks_node_group.main.scaling_config[0].desired_size == 4
    error_message = "EKS refuses a desired size above the maximum."
  }
}

run "two_versions_at_once_are_refused" {
  command = plan

  variables {
    kubernetes_version = "1.37"
  }

  override_data {
    target = data.aws_eks_clusters.all
    values = { names = ["shop-production"] }
  }

  override_data {
    target = data.aws_eks_cluster.live[0]
    values = { version = "1.35" }
  }

  expect_failures = [aws_eks_cluster.this]
}

# --- nodes that come by themselves -------------------------------------------------

run "the_autoscaler_may_change_this_group_alone" {
  command = plan

  assert {
    condition     = aws_eks_pod_identity_association.cluster_autoscaler.namespace == "kube-system" && aws_eks_pod_identity_association.cluster_autoscaler.service_account == "cluster-autoscaler"
    error_message = "The role is the autoscaler's."
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.cluster_autoscaler.statement : one(s.condition).values if s.sid == "Scale"]) == tolist(["shop-production"])
    error_message = "It scales the Auto Scaling groups of this cluster, by the tag that EKS puts on them."
  }
}

run "a_maximum_below_the_profiles_minimum_is_refused" {
  command = plan

  variables {
    node_max_size = 2
  }

  expect_failures = [aws_eks_node_group.main]
}

# --- review environments -----------------------------------------------------------

run "without_slots_there_is_nothing_of_them" {
  command = plan

  assert {
    condition     = length(aws_lb_listener_rule.review) == 0 && length(aws_ecr_repository.review) == 0 && length(aws_eks_access_entry.review) == 0 && sort(keys(aws_iam_role.ci)) == tolist(["apply", "build", "deploy", "plan"])
    error_message = "No rule, no repository, no access, no role."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.node_alb.to_port == 30080 && length(aws_route53_record.app) == 2
    error_message = "One port and two names, as without the variable."
  }
}

run "a_slot_has_a_name_a_port_and_a_namespace_of_its_own" {
  command = plan

  variables {
    review_slots = 2
  }

  assert {
    condition     = [for slot in output.review_slots : "${slot.host_name} ${slot.namespace} ${slot.node_port}"] == ["review-1.shop.example.com shop-review-1 30081", "review-2.shop.example.com shop-review-2 30082"]
    error_message = "Each is told from the others, and from the application's own."
  }

  assert {
    condition     = one(one(aws_lb_listener_rule.review["2"].condition).host_header).values == toset(["review-2.shop.example.com"]) && aws_lb_target_group.review["2"].port == 30082
    error_message = "The load balancer sends a slot's name to its port."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.node_alb.from_port == 30080 && aws_vpc_security_group_ingress_rule.node_alb.to_port == 30082 && aws_vpc_security_group_egress_rule.alb_nodes.to_port == 30082
    error_message = "The nodes let those ports in, and no others."
  }

  assert {
    condition     = contains(aws_acm_certificate.this.subject_alternative_names, "review-2.shop.example.com") && length(aws_route53_record.app) == 4
    error_message = "The certificate and the zone have its name."
  }
}

run "who_uses_a_slot_has_edit_there_and_nowhere_else" {
  command = plan

  variables {
    review_slots = 2
  }

  assert {
    condition     = one(aws_eks_access_policy_association.review[0].access_scope).namespaces == toset(["shop-review-1", "shop-review-2"]) && one(aws_eks_access_policy_association.review[0].access_scope).type == "namespace"
    error_message = "The slots' namespaces, not the application's."
  }

  assert {
    condition     = aws_eks_access_entry.review[0].kubernetes_groups == toset(["shop-review-1-deployers", "shop-review-2-deployers"])
    error_message = "The lock of a release is a Lease, which `edit` does not cover."
  }

  assert {
    condition     = flatten([for s in data.aws_iam_policy_document.ci_review.statement : s.resources if s.sid == "Push"]) == ["arn:aws:ecr:eu-central-1:123456789012:repository/shop/review"]
    error_message = "It pushes where no other environment looks for images."
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.ci_trust["review"].statement : [for c in s.condition : c.values if endswith(c.variable, ":sub")]][0][0] == tolist(["project_path:example/shop:ref_type:branch:ref:*"])
    error_message = "A job of any branch of the project."
  }
}
