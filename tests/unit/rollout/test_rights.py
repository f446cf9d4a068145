from __future__ import annotations

from longshore.rollout.rights import split

TEXT = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
roleRef:
  kind: Role
---
apiVersion: v1
kind: Service
---
apiVersion: apps/v1
kind: Deployment
"""


def test_a_namespace_and_rights_are_kept_apart_from_what_a_release_applies() -> None:
    rights, release = split(TEXT)
    assert [line for line in rights.splitlines() if line.startswith("kind")] == [
        "kind: Namespace",
        "kind: RoleBinding",
    ]
    assert [line for line in release.splitlines() if line.startswith("kind")] == [
        "kind: Service",
        "kind: Deployment",
    ]


def test_an_overlay_without_a_namespace_has_no_rights_to_set() -> None:
    assert split("apiVersion: v1\nkind: Service\n") == ("", "apiVersion: v1\nkind: Service\n")
