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

  # Load balancers and target groups take 32 characters. A long name is cut, and kept unique by a hash of the whole.
  short_name = length(local.name) <= 28 ? local.name : "${trimsuffix(substr(local.name, 0, 19), "-")}-${substr(sha256(local.name), 0, 8)}"

  common_tags = {
    Project     = var.project
    Environment = var.environment
    ManagedBy   = "terraform"
  }
}
