# What each setting turns on or off, or changes.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment         = "production"
  domain_name         = "shop.example.com"
  gitlab_project_path = "example/shop"
}

run "the_defaults_are_safe" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Access entries only, and the creator is no administrator."
  }

  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "Without api_allowed_cidrs the API endpoint is private."
  }

  assert {
    condition     = aws_eks_cluster.this.upgrade_policy[0].support_type == "STANDARD" && aws_eks_cluster.this.version == "1.35"
    error_message = "Kubernetes 1.35 with standard support."
  }

  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "All five control plane logs."
  }

  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "IMDSv2 only, out of reach for pods."
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_subnet.private) == 3
    error_message = "The profile is standard: three zones, one NAT gateway."
  }

  assert {
    condition     = aws_lb.this.enable_deletion_protection && !aws_ecr_repository.app.force_delete && !aws_s3_bucket.alb_logs.force_destroy
    error_message = "Nothing that holds data or traffic is deleted by accident."
  }

  assert {
    condition     = aws_ecr_repository.app.image_tag_mutability == "IMMUTABLE"
    error_message = "A tag never moves."
  }

  assert {
    condition     = aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "HTTP only redirects."
  }

  assert {
    condition     = output.url == "https://shop.example.com"
    error_message = "The URL has no port where it is 443."
  }

  assert {
    condition     = length(aws_eks_access_entry.admin) == 0 && length(aws_sns_topic_subscription.email) == 0
    error_message = "Nobody administers, and nobody is written to, unless named."
  }

  assert {
    condition     = aws_eks_addon.before_nodes["vpc-cni"].configuration_values == "{\"enableNetworkPolicy\":\"true\"}"
    error_message = "The CNI enforces network policies."
  }

  assert {
    condition     = length(aws_eks_addon.before_nodes) == 3 && length(aws_eks_addon.after_nodes) == 3
    error_message = "Three add-ons before the nodes, three after them."
  }

  assert {
    condition     = aws_lb_target_group.app.health_check[0].path == "/readyz" && aws_lb_target_group.app.port == 30080
    error_message = "The load balancer asks the probe that fails first on shutdown."
  }
}

run "nodes_with_arm_processors_get_their_own_system_and_images" {
  command = plan

  variables {
    node_instance_types = ["t4g.large", "c7gd.large", "im4gn.large", "x2gd.large"]
  }

  assert {
    condition     = aws_eks_node_group.main.ami_type == "AL2023_ARM_64_STANDARD" && output.node_architecture == "arm64"
    error_message = "Graviton families have a g after the generation."
  }
}

run "a_g_elsewhere_is_no_arm_processor" {
  command = plan

  variables {
    node_instance_types = ["g5.large", "g4dn.large", "m6i.large", "trn1.2xlarge"]
  }

  assert {
    condition     = aws_eks_node_group.main.ami_type == "AL2023_x86_64_STANDARD" && output.node_architecture == "amd64"
    error_message = "Only a g after the generation names a Graviton family."
  }
}

run "a_nat_gateway_per_zone_survives_the_loss_of_one" {
  command = plan

  variables {
    single_nat_gateway = false
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.private_nat) == 3
    error_message = "Each zone has its own."
  }
}

run "the_endpoint_opens_to_named_addresses_only" {
  command = plan

  variables {
    api_allowed_cidrs = ["198.51.100.0/24"]
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["198.51.100.0/24"])
    error_message = "Public for these addresses alone."
  }
}

run "other_ports_are_in_listeners_rules_and_url" {
  command = plan

  variables {
    http_port  = 8080
    https_port = 8443
  }

  assert {
    condition     = output.url == "https://shop.example.com:8443"
    error_message = "The URL carries the port."
  }

  assert {
    condition     = aws_lb_listener.http.port == 8080 && aws_lb_listener.https.port == 8443 && aws_lb_listener.http.default_action[0].redirect[0].port == "8443"
    error_message = "Listeners and redirect follow the ports."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.alb["https"].from_port == 8443
    error_message = "The security group follows the ports."
  }
}

run "a_zone_is_made_and_host_names_are_one_list" {
  command = plan

  assert {
    condition     = length(aws_route53_zone.this) == 1 && aws_acm_certificate_validation.this.timeouts.create == "15m"
    error_message = "A zone of its own, and a certificate that does not wait for hours."
  }

  assert {
    condition     = join(" ", output.host_names) == "shop.example.com www.shop.example.com" && toset(keys(aws_route53_record.app)) == toset(output.host_names)
    error_message = "What has a record is what the application is told to answer to."
  }
}

run "a_zone_that_exists_is_used" {
  command = plan

  variables {
    hosted_zone_id = "Z0123456789ABCDEFGHIJ"
  }

  assert {
    condition     = length(aws_route53_zone.this) == 0 && aws_route53_record.app["shop.example.com"].zone_id == "Z0123456789ABCDEFGHIJ"
    error_message = "No second zone of the same name."
  }

  assert {
    condition     = contains(output.name_servers, "ns-1.awsdns-00.com")
    error_message = "The name servers are those of the zone."
  }
}

run "a_zone_of_another_domain_is_refused" {
  command = plan

  variables {
    hosted_zone_id = "Z0123456789ABCDEFGHIJ"
    domain_name    = "shop.badexample.com"
  }

  expect_failures = [data.aws_route53_zone.given]
}

run "administrators_get_an_entry_each" {
  command = plan

  variables {
    admin_principal_arns = ["arn:aws:iam::123456789012:user/operator", "arn:aws:iam::123456789012:role/platform-admin"]
  }

  assert {
    condition     = length(aws_eks_access_entry.admin) == 2 && alltrue([for a in aws_eks_access_policy_association.admin : endswith(a.policy_arn, "/AmazonEKSClusterAdminPolicy")])
    error_message = "Each principal has an entry and the administrator's policy."
  }
}

run "deployers_edit_one_namespace" {
  command = plan

  variables {
    app_namespace = "web"
  }

  assert {
    condition = alltrue([
      for a in aws_eks_access_policy_association.deployer :
      endswith(a.policy_arn, "/AmazonEKSEditPolicy") && a.access_scope[0].type == "namespace" && a.access_scope[0].namespaces == toset(["web"])
    ])
    error_message = "Edit, in the application's namespace, and no more."
  }

  assert {
    condition     = alltrue([for e in aws_eks_access_entry.deployer : e.kubernetes_groups == toset(["web-deployers"])])
    error_message = "Both deployers share a group."
  }
}

run "the_longest_name_is_cut_and_stays_unique" {
  command = plan

  variables {
    project     = "a-project-of-16c"
    environment = "e2e-with-21-character"
  }

  assert {
    condition     = length(aws_lb.this.name) <= 28 && startswith(aws_lb.this.name, "a-project-of-16c-e2")
    error_message = "The load balancer keeps to 32 characters."
  }

  assert {
    condition     = length(aws_s3_bucket.alb_logs.bucket) <= 63
    error_message = "The bucket keeps to 63 characters."
  }
}

run "a_short_name_is_kept" {
  command = plan

  assert {
    condition     = aws_lb.this.name == "shop-production"
    error_message = "Names stay readable where they fit."
  }
}

run "an_address_gets_the_alarms" {
  command = plan

  variables {
    alarm_email = "oncall@example.com"
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 1
    error_message = "One subscription."
  }
}

run "no_budget_when_it_is_zero" {
  command = plan

  variables {
    monthly_budget_usd = 0
  }

  assert {
    condition     = length(aws_budgets_budget.monthly) == 0
    error_message = "Zero means none."
  }
}

run "protection_can_be_lifted" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = !aws_lb.this.enable_deletion_protection && aws_ecr_repository.app.force_delete && aws_s3_bucket.alb_logs.force_destroy
    error_message = "Test environments can be removed whole."
  }
}

run "only_the_protected_branch_applies_builds_and_deploys" {
  command = plan

  variables {
    gitlab_branch = "release"
  }

  assert {
    condition     = keys(aws_iam_role.ci) == ["apply", "build", "deploy", "plan"]
    error_message = "A role for each kind of job."
  }

  assert {
    condition     = alltrue([for role, subject in local.ci_subjects : endswith(subject.gitlab, role == "plan" ? "ref:*" : "ref:release")])
    error_message = "Every branch may plan; one may do the rest."
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "GitHub's tokens are worth nothing unless a repository is named."
  }
}

run "a_github_repository_takes_the_roles_by_environment" {
  command = plan

  variables {
    github_repository = "example/shop"
  }

  assert {
    condition     = local.ci_subjects["apply"].github == "repo:example/shop:environment:production/apply"
    error_message = "The subject names repository and environment."
  }

  assert {
    condition     = aws_iam_openid_connect_provider.github[0].url == "https://token.actions.githubusercontent.com"
    error_message = "GitHub's own issuer."
  }
}

run "an_image_is_read_by_whoever_it_is_promoted_to" {
  command = plan

  variables {
    promotes_to   = ["arn:aws:iam::222222222222:role/shop-production-ci-build", "arn:aws:iam::222222222222:role/platform-admin"]
    promoted_from = "arn:aws:ecr:eu-west-1:111111111111:repository/shop/app"
  }

  assert {
    condition     = data.aws_iam_policy_document.promotion.statement[0].actions == toset(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"])
    error_message = "They read, and nothing else."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.promotion.statement[0].principals).identifiers == toset(["arn:aws:iam::222222222222:root"])
    error_message = "Of each account these roles alone, said once."
  }

  assert {
    condition     = one(data.aws_iam_policy_document.promotion.statement[0].condition).values == tolist(var.promotes_to)
    error_message = "Nobody but the roles that are named."
  }

  assert {
    condition     = one([for s in data.aws_iam_policy_document.ci_build.statement : s.resources if s.sid == "Promotion"]) == toset([var.promoted_from])
    error_message = "The build role reads the repository that is named, and no other."
  }
}

run "nobody_else_reads_images_unless_they_are_named" {
  command = plan

  assert {
    condition     = length(aws_ecr_repository_policy.app) == 0
    error_message = "No policy on the repository."
  }

  assert {
    condition     = [for s in data.aws_iam_policy_document.ci_build.statement : s.sid] == ["RegistryLogin", "Push"]
    error_message = "No other repository."
  }
}

run "services_take_on_roles_for_this_account_only" {
  command = plan

  assert {
    condition = alltrue([
      for service, document in data.aws_iam_policy_document.assume :
      length([for c in document.statement[0].condition : c if c.variable == "aws:SourceAccount"]) == (service == "node" ? 0 : 1)
    ])
    error_message = "aws:SourceAccount in every trust policy but EC2's, which does not send it."
  }

  assert {
    condition     = toset([for c in data.aws_iam_policy_document.pod_identity.statement[0].condition : c.variable]) == toset(["aws:SourceAccount", "aws:SourceArn"])
    error_message = "Pods of this cluster only."
  }
}
