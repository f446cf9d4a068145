# Lowest supported: Terraform 1.10 (native S3 locking) with provider 5.100; tested with 1.11.4 and 5.100.0.
terraform {
  required_version = ">= 1.10.0, < 2.0.0"

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
