# Each variable refuses values that would fail later or are unsafe. A run takes seconds, so each has one bad value for many
# variables; Terraform names those in `expect_failures` that accepted theirs. A variable that is compared with another one is
# in a run where that one has a good value.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment         = "production"
  domain_name         = "shop.example.com"
  gitlab_project_path = "example/shop"
}

run "refuses_the_first_bad_values" {
  command = plan

  variables {
    project                   = "Shop"
    environment               = "Production"
    region                    = "frankfurt"
    allowed_account_ids       = ["1234"]
    vpc_cidr                  = "10.0.0.0/8"
    kubernetes_version        = "latest"
    addon_versions            = { "vpc-cni" = "v1.21.1-eksbuild.3" }
    api_allowed_cidrs         = ["0.0.0.0/0"]
    admin_principal_arns      = ["admin"]
    node_instance_types       = ["m6i.large", "m7g.large"]
    profile                   = "huge"
    zones                     = 1
    node_min_size             = 0
    node_disk_gib             = 10
    app_namespace             = "Shop"
    node_port                 = 80
    domain_name               = "localhost"
    hosted_zone_id            = "shop.example.com"
    http_port                 = 0
    gitlab_url                = "https://gitlab.com/"
    gitlab_project_path       = "shop"
    gitlab_branch             = "*"
    github_repository         = "example/*"
    promotes_to               = ["arn:aws:iam::222222222222:role/*"]
    promoted_from             = "shop/app"
    log_retention_days        = 42
    alarm_email               = "oncall"
    latency_threshold_seconds = 0
    monthly_budget_usd        = -1
  }

  expect_failures = [
    var.project,
    var.environment,
    var.region,
    var.allowed_account_ids,
    var.vpc_cidr,
    var.kubernetes_version,
    var.addon_versions,
    var.api_allowed_cidrs,
    var.admin_principal_arns,
    var.node_instance_types,
    var.profile,
    var.zones,
    var.node_min_size,
    var.node_disk_gib,
    var.app_namespace,
    var.node_port,
    var.hosted_zone_id,
    var.domain_name,
    var.http_port,
    var.gitlab_url,
    var.gitlab_project_path,
    var.gitlab_branch,
    var.github_repository,
    var.promotes_to,
    var.promoted_from,
    var.log_retention_days,
    var.alarm_email,
    var.latency_threshold_seconds,
    var.monthly_budget_usd,
  ]
}

run "refuses_the_second" {
  command = plan

  variables {
    project              = "x"
    environment          = "p"
    allowed_account_ids  = []
    vpc_cidr             = "10.0.0.0/24"
    kubernetes_version   = "1.35.4"
    addon_versions       = { "vpc-cni" = "latest", "kube-proxy" = "v1.35.0-eksbuild.2", "coredns" = "v1.13.2-eksbuild.1", "eks-pod-identity-agent" = "v1.3.10-eksbuild.3", "metrics-server" = "v0.8.1-eksbuild.6", "amazon-cloudwatch-observability" = "v5.3.0-eksbuild.1" }
    api_allowed_cidrs    = ["::/0"]
    admin_principal_arns = ["arn:aws:sts::123456789012:assumed-role/admin/me"]
    node_instance_types  = ["large"]
    node_min_size        = 1.5
    app_namespace        = "kube-system"
    node_port            = 40000
    domain_name          = "shop.example.com."
    https_port           = 70000
    gitlab_url           = "http://gitlab.com"
    gitlab_project_path  = "example/*"

    rate_limit            = 9
    web_acl_counted_rules = ["Size Restrictions"]
  }

  expect_failures = [
    var.project,
    var.environment,
    var.allowed_account_ids,
    var.vpc_cidr,
    var.kubernetes_version,
    var.addon_versions,
    var.api_allowed_cidrs,
    var.admin_principal_arns,
    var.node_instance_types,
    var.node_min_size,
    var.app_namespace,
    var.node_port,
    var.domain_name,
    var.https_port,
    var.rate_limit,
    var.web_acl_counted_rules,
    var.gitlab_url,
    var.gitlab_project_path,
  ]
}

run "refuses_the_third" {
  command = plan

  variables {
    project             = "a-project-of-17-ch"
    environment         = "prod_1"
    vpc_cidr            = "nonsense"
    api_allowed_cidrs   = ["everyone"]
    node_instance_types = ["m7g.large", "m6i.large"]
    node_desired_size   = 99
    node_max_size       = 9
    node_image_release  = "1.34.1-20251101"
    domain_name         = "*.example.com"
    https_port          = 80
    review_slots        = 9
  }

  expect_failures = [
    var.project,
    var.environment,
    var.vpc_cidr,
    var.api_allowed_cidrs,
    var.node_instance_types,
    var.node_desired_size,
    var.node_image_release,
    var.domain_name,
    var.https_port,
    var.review_slots,
  ]
}

run "refuses_the_fourth" {
  command = plan

  variables {
    project            = "shop-"
    environment        = "an-environment-of-22-c"
    node_image_release = "latest"
    node_min_size      = 3
    node_max_size      = 2
    node_port          = 32766
    review_slots       = 2
  }

  expect_failures = [
    var.project,
    var.environment,
    var.node_image_release,
    var.node_max_size,
    var.review_slots,
  ]
}

run "refuses_the_fifth" {
  command = plan

  variables {
    project       = "my--shop"
    node_max_size = 101
  }

  expect_failures = [var.project, var.node_max_size]
}
