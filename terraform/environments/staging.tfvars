# Replace the account number, the domain, the addresses and the GitLab project by your own.
# Project and environment come from longshore.toml: a value in this file would win over it.
allowed_account_ids = ["111111111111"]

domain_name = "staging.shop.example.com"

single_nat_gateway   = true
api_allowed_cidrs    = ["198.51.100.0/24"]
admin_principal_arns = ["arn:aws:iam::111111111111:role/platform-admin"]

node_min_size     = 2
node_desired_size = 2
node_max_size     = 4

gitlab_project_path = "example/shop"
log_retention_days  = 30
deletion_protection = false
monthly_budget_usd  = 300
