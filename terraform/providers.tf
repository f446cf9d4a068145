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

  # EC2 and CloudWatch Logs have names of their own in China.
  service_principals = {
    cluster = "eks.amazonaws.com"
    node    = "ec2.${data.aws_partition.current.dns_suffix}"
    flow    = "vpc-flow-logs.amazonaws.com"
    logs    = "logs.${var.region}.${data.aws_partition.current.dns_suffix}"
  }

  # Names of load balancers have at most 32 characters. A long one is cut, and a hash keeps it unique.
  short_name = length(local.name) <= 28 ? local.name : "${trimsuffix(substr(local.name, 0, 19), "-")}-${substr(sha256(local.name), 0, 8)}"

  # A policy document that refers to a resource is unknown until apply whenever that resource changes. The ARNs in
  # policies are therefore composed here, so that a plan does not list policies that stay the same.
  arns = {
    alb_logs   = "arn:${local.partition}:s3:::${local.name}-alb-logs-${local.account_id}"
    boundary   = "arn:${local.partition}:iam::${local.account_id}:policy/${local.name}-boundary"
    cluster    = "arn:${local.partition}:eks:${var.region}:${local.account_id}:cluster/${local.name}"
    repository = "arn:${local.partition}:ecr:${var.region}:${local.account_id}:repository/${var.project}/app"
    review     = "arn:${local.partition}:ecr:${var.region}:${local.account_id}:repository/${var.project}/review"
    state      = "arn:${local.partition}:s3:::${var.project}-terraform-state-${local.account_id}"
  }

  # Slots for review environments, whose host names, ports and roles several files need; review.tf says what they are.
  review_slots = {
    for number in range(1, var.review_slots + 1) : tostring(number) => {
      host_name = "review-${number}.${var.domain_name}"
      namespace = "${var.app_namespace}-review-${number}"
      node_port = var.node_port + number
    }
  }

  review_hosts = [for slot in local.review_slots : slot.host_name]

  common_tags = {
    Project     = var.project
    Environment = var.environment
    ManagedBy   = "terraform"
  }
}
