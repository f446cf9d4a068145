# Replace the account number, the domain, the addresses and the GitLab project by your own.
# Project and environment come from longshore.toml: a value in this file would win over it.
allowed_account_ids = ["222222222222"]

domain_name = "shop.example.com"

api_allowed_cidrs    = ["198.51.100.0/24"]
admin_principal_arns = ["arn:aws:iam::222222222222:role/platform-admin"]

node_min_size     = 3
node_desired_size = 3
node_max_size     = 9

gitlab_project_path = "example/shop"
alarm_email         = "oncall@example.com"
log_retention_days  = 365
deletion_protection = true
monthly_budget_usd  = 1000
