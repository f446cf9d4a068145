# The environment on this machine. It differs from production only in size and names.
# Project, environment and ports are set in longshore.toml, which takes precedence over this file.
allowed_account_ids = ["123456789012"]

domain_name = "shop.localhost"

profile              = "large" # everything that an environment can have
single_nat_gateway   = true
api_allowed_cidrs    = ["127.0.0.0/8"]
admin_principal_arns = ["arn:aws:iam::123456789012:user/operator"]

node_min_size     = 1
node_desired_size = 1
node_max_size     = 3

gitlab_project_path = "example/shop"
github_repository   = "example/shop"
log_retention_days  = 7
deletion_protection = false
