# Each variable refuses what would fail later, or would be unsafe.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment         = "production"
  domain_name         = "shop.example.com"
  gitlab_project_path = "example/shop"
}

run "refuses_project_1" {
  command = plan

  variables {
    project = "Shop"
  }

  expect_failures = [var.project]
}

run "refuses_project_2" {
  command = plan

  variables {
    project = "x"
  }

  expect_failures = [var.project]
}

run "refuses_project_3" {
  command = plan

  variables {
    project = "a-project-of-17-ch"
  }

  expect_failures = [var.project]
}

run "refuses_project_4" {
  command = plan

  variables {
    project = "shop-"
  }

  expect_failures = [var.project]
}

run "refuses_environment_1" {
  command = plan

  variables {
    environment = "Production"
  }

  expect_failures = [var.environment]
}

run "refuses_environment_2" {
  command = plan

  variables {
    environment = "p"
  }

  expect_failures = [var.environment]
}

run "refuses_environment_3" {
  command = plan

  variables {
    environment = "prod_1"
  }

  expect_failures = [var.environment]
}

run "refuses_environment_4" {
  command = plan

  variables {
    environment = "an-environment-of-22-c"
  }

  expect_failures = [var.environment]
}

run "refuses_region" {
  command = plan

  variables {
    region = "frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_allowed_account_ids_1" {
  command = plan

  variables {
    allowed_account_ids = ["1234"]
  }

  expect_failures = [var.allowed_account_ids]
}

run "refuses_allowed_account_ids_2" {
  command = plan

  variables {
    allowed_account_ids = []
  }

  expect_failures = [var.allowed_account_ids]
}

run "refuses_vpc_cidr_1" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/8"
  }

  expect_failures = [var.vpc_cidr]
}

run "refuses_vpc_cidr_2" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/24"
  }

  expect_failures = [var.vpc_cidr]
}

run "refuses_vpc_cidr_3" {
  command = plan

  variables {
    vpc_cidr = "nonsense"
  }

  expect_failures = [var.vpc_cidr]
}

run "refuses_kubernetes_version_1" {
  command = plan

  variables {
    kubernetes_version = "latest"
  }

  expect_failures = [var.kubernetes_version]
}

run "refuses_kubernetes_version_2" {
  command = plan

  variables {
    kubernetes_version = "1.35.4"
  }

  expect_failures = [var.kubernetes_version]
}

run "refuses_addon_versions_1" {
  command = plan

  variables {
    addon_versions = { "vpc-cni" = "v1.21.1-eksbuild.3" }
  }

  expect_failures = [var.addon_versions]
}

run "refuses_addon_versions_2" {
  command = plan

  variables {
    addon_versions = { "vpc-cni" = "latest", "kube-proxy" = "v1.35.0-eksbuild.2", "coredns" = "v1.13.2-eksbuild.1", "eks-pod-identity-agent" = "v1.3.10-eksbuild.3", "metrics-server" = "v0.8.1-eksbuild.6", "amazon-cloudwatch-observability" = "v5.3.0-eksbuild.1" }
  }

  expect_failures = [var.addon_versions]
}

run "refuses_api_allowed_cidrs_1" {
  command = plan

  variables {
    api_allowed_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.api_allowed_cidrs]
}

run "refuses_api_allowed_cidrs_2" {
  command = plan

  variables {
    api_allowed_cidrs = ["::/0"]
  }

  expect_failures = [var.api_allowed_cidrs]
}

run "refuses_api_allowed_cidrs_3" {
  command = plan

  variables {
    api_allowed_cidrs = ["everyone"]
  }

  expect_failures = [var.api_allowed_cidrs]
}

run "refuses_admin_principal_arns_1" {
  command = plan

  variables {
    admin_principal_arns = ["admin"]
  }

  expect_failures = [var.admin_principal_arns]
}

run "refuses_admin_principal_arns_2" {
  command = plan

  variables {
    admin_principal_arns = ["arn:aws:sts::123456789012:assumed-role/admin/me"]
  }

  expect_failures = [var.admin_principal_arns]
}

run "refuses_node_instance_types_1" {
  command = plan

  variables {
    node_instance_types = []
  }

  expect_failures = [var.node_instance_types]
}

run "refuses_node_instance_types_2" {
  command = plan

  variables {
    node_instance_types = ["large"]
  }

  expect_failures = [var.node_instance_types]
}

run "refuses_node_min_size_1" {
  command = plan

  variables {
    node_min_size = 0
  }

  expect_failures = [var.node_min_size]
}

run "refuses_node_min_size_2" {
  command = plan

  variables {
    node_min_size = 1.5
  }

  expect_failures = [var.node_min_size]
}

run "refuses_node_desired_size" {
  command = plan

  variables {
    node_desired_size = 99
  }

  expect_failures = [var.node_desired_size]
}

run "refuses_node_max_size" {
  command = plan

  variables {
    node_max_size = 101
  }

  expect_failures = [var.node_max_size]
}

run "refuses_node_disk_gib" {
  command = plan

  variables {
    node_disk_gib = 10
  }

  expect_failures = [var.node_disk_gib]
}

run "refuses_app_namespace_1" {
  command = plan

  variables {
    app_namespace = "Shop"
  }

  expect_failures = [var.app_namespace]
}

run "refuses_app_namespace_2" {
  command = plan

  variables {
    app_namespace = "kube-system"
  }

  expect_failures = [var.app_namespace]
}

run "refuses_node_port_1" {
  command = plan

  variables {
    node_port = 80
  }

  expect_failures = [var.node_port]
}

run "refuses_node_port_2" {
  command = plan

  variables {
    node_port = 40000
  }

  expect_failures = [var.node_port]
}

run "refuses_domain_name_1" {
  command = plan

  variables {
    domain_name = "localhost"
  }

  expect_failures = [var.domain_name]
}

run "refuses_domain_name_2" {
  command = plan

  variables {
    domain_name = "shop.example.com."
  }

  expect_failures = [var.domain_name]
}

run "refuses_domain_name_3" {
  command = plan

  variables {
    domain_name = "*.example.com"
  }

  expect_failures = [var.domain_name]
}

run "refuses_http_port" {
  command = plan

  variables {
    http_port = 0
  }

  expect_failures = [var.http_port]
}

run "refuses_https_port_1" {
  command = plan

  variables {
    https_port = 70000
  }

  expect_failures = [var.https_port]
}

run "refuses_https_port_2" {
  command = plan

  variables {
    https_port = 80
  }

  expect_failures = [var.https_port]
}

run "refuses_gitlab_url_1" {
  command = plan

  variables {
    gitlab_url = "https://gitlab.com/"
  }

  expect_failures = [var.gitlab_url]
}

run "refuses_gitlab_url_2" {
  command = plan

  variables {
    gitlab_url = "http://gitlab.com"
  }

  expect_failures = [var.gitlab_url]
}

run "refuses_gitlab_project_path_1" {
  command = plan

  variables {
    gitlab_project_path = "shop"
  }

  expect_failures = [var.gitlab_project_path]
}

run "refuses_gitlab_project_path_2" {
  command = plan

  variables {
    gitlab_project_path = "example/*"
  }

  expect_failures = [var.gitlab_project_path]
}

run "refuses_gitlab_branch" {
  command = plan

  variables {
    gitlab_branch = "*"
  }

  expect_failures = [var.gitlab_branch]
}

run "refuses_log_retention_days" {
  command = plan

  variables {
    log_retention_days = 42
  }

  expect_failures = [var.log_retention_days]
}

run "refuses_alarm_email" {
  command = plan

  variables {
    alarm_email = "oncall"
  }

  expect_failures = [var.alarm_email]
}

run "refuses_latency_threshold_seconds" {
  command = plan

  variables {
    latency_threshold_seconds = 0
  }

  expect_failures = [var.latency_threshold_seconds]
}

run "refuses_monthly_budget_usd" {
  command = plan

  variables {
    monthly_budget_usd = -1
  }

  expect_failures = [var.monthly_budget_usd]
}
