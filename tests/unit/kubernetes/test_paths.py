from __future__ import annotations

import pytest

from longshore.kubernetes import mirror, paths


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("ConfigMap", "/api/v1/namespaces/shop/configmaps"),
        ("Lease", "/apis/coordination.k8s.io/v1/namespaces/shop/leases"),
        ("Ingress", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"),
        ("NetworkPolicy", "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"),
    ],
)
def test_a_kind_has_one_path(kind: str, path: str) -> None:
    assert paths.collection(kind, "shop") == path


def test_every_kind_that_a_verdict_is_judged_by_has_a_path() -> None:
    assert set(mirror.KINDS) <= set(paths.VERSIONS)
