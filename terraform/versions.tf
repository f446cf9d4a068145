# Supported: Terraform 1.11.4 (S3 locks without DynamoDB) to the last 1.x, provider 5.100.0 to the last 5.x.
# Tested with the lowest of both.
terraform {
  required_version = ">= 1.11.4, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Bucket, key and region come from -backend-config: one state per environment.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
