# Replace the account number, domain, addresses and GitLab project with your own.
# Project and environment are set in longshore.toml, which takes precedence over this file.
allowed_account_ids = ["111111111111"]

profile     = "small"
web_acl     = true # what it refuses in production shows here first
domain_name = "staging.shop.example.com"

api_allowed_cidrs    = ["198.51.100.0/24"]
admin_principal_arns = ["arn:aws:iam::111111111111:role/platform-admin"]

gitlab_project_path = "example/shop"
github_repository   = "example/shop"
log_retention_days  = 30
deletion_protection = false
