# Credentials come from the environment, never from a variable: see README.md.
provider "aws" {
  region              = var.region
  allowed_account_ids = var.allowed_account_ids

  default_tags {
    tags = local.common_tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  name       = "${var.project}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # A load balancer takes 32 characters. A long name is cut, and kept unique by a hash of the whole.
  short_name = length(local.name) <= 28 ? local.name : "${trimsuffix(substr(local.name, 0, 19), "-")}-${substr(sha256(local.name), 0, 8)}"

  # A policy document that reads a resource is known only after apply whenever anything of that resource changes. So the
  # addresses that policies name are put together here, and a plan does not speak of policies that stay as they are.
  arns = {
    alb_logs   = "arn:${local.partition}:s3:::${local.name}-alb-logs-${local.account_id}"
    cluster    = "arn:${local.partition}:eks:${var.region}:${local.account_id}:cluster/${local.name}"
    repository = "arn:${local.partition}:ecr:${var.region}:${local.account_id}:repository/${var.project}/app"
    state      = "arn:${local.partition}:s3:::${var.project}-terraform-state-${local.account_id}"
  }

  common_tags = {
    Project     = var.project
    Environment = var.environment
    ManagedBy   = "terraform"
  }
}
