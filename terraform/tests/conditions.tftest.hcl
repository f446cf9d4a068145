# What each setting switches on, off or over.

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
    condition     = length(aws_nat_gateway.this) == 3
    error_message = "A NAT gateway per zone."
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

run "one_nat_gateway_is_cheaper" {
  command = plan

  variables {
    single_nat_gateway = true
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.private_nat) == 3
    error_message = "One gateway serves all three zones."
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

run "only_the_protected_branch_deploys_and_applies" {
  command = plan

  variables {
    gitlab_branch = "release"
  }

  assert {
    condition     = keys(aws_iam_role.gitlab) == ["apply", "deploy", "plan"]
    error_message = "Three roles."
  }

  assert {
    condition     = endswith(local.gitlab_refs["deploy"], "ref:release") && endswith(local.gitlab_refs["apply"], "ref:release") && endswith(local.gitlab_refs["plan"], "ref:*")
    error_message = "Every branch may plan; one may deploy and apply."
  }
}
