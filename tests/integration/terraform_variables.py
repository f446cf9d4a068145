"""What changes in a plan when one variable of terraform/ changes: a line for each resource and output."""

from __future__ import annotations

from tests.integration import terraform_variables_cluster, terraform_variables_service

ROWS = terraform_variables_cluster.ROWS | terraform_variables_service.ROWS

# The others take some minutes and run with `-m slow`.
QUICK = (
    "allowed_account_ids",
    "api_allowed_cidrs",
    "deletion_protection",
    "log_retention_days",
    "node_port",
    "vpc_cidr",
)
