# Replace the account number, domain, addresses and GitLab project with your own.
# Project and environment are set in longshore.toml, which takes precedence over this file.
allowed_account_ids = ["222222222222"]

profile     = "large"
domain_name = "shop.example.com"

api_allowed_cidrs    = ["198.51.100.0/24"]
admin_principal_arns = ["arn:aws:iam::222222222222:role/platform-admin"]

gitlab_project_path = "example/shop"
github_repository   = "example/shop"
alarm_email         = "oncall@example.com"
log_retention_days  = 365
deletion_protection = true
