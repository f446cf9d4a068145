"""What Terraform gives out."""

from __future__ import annotations

from typing import Any

VALUES: dict[str, Any] = {
    "url": "https://shop.localhost:8443",
    "repository_url": "127.0.0.1:5001/shop/app",
    "node_port": 30080,
    "cluster_name": "shop-local",
    "cluster_endpoint": "https://127.0.0.1:6443",
    "cluster_certificate_authority_data": "LS0t",
    "ci_role_arns": {"plan": "arn:aws:iam::123456789012:role/shop-local-ci-plan"},
}
