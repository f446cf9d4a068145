from __future__ import annotations

from longshore.local.aws.access_policies import grants, rules
from longshore.local.aws.bindings import objects_of

EDITS, VIEWS = "eks:AmazonEKSEditPolicy", "eks:AmazonEKSViewPolicy"


def allows(policy: str, verb: str, group: str, resource: str) -> bool:
    return any(
        verb in rule["verbs"] and group in rule["apiGroups"] and resource in rule["resources"]
        for rule in rules(f"AmazonEKS{policy}Policy")
    )


def test_a_namespaces_policy_is_a_role_binding_there_and_nowhere_else() -> None:
    role, binding = objects_of([("AmazonEKSEditPolicy", "shop")], ["default", "shop", "shop-2"])
    assert (binding["kind"], binding["metadata"]["namespace"]) == ("RoleBinding", "shop")
    assert binding["roleRef"]["name"] == role["metadata"]["name"] == EDITS
    assert [one["name"] for one in binding["subjects"]] == [f"{EDITS}:shop"]


def test_a_pattern_is_bound_in_every_namespace_that_matches() -> None:
    found = objects_of([("AmazonEKSViewPolicy", "dev-*")], ["dev-a", "dev-b", "prod"])
    namespaces = [thing["metadata"]["namespace"] for thing in found if thing["kind"] == "RoleBinding"]
    assert namespaces == ["dev-a", "dev-b"]


def test_a_clusters_policy_is_a_cluster_role_binding() -> None:
    found = list(objects_of([("AmazonEKSViewPolicy", "")], ["shop"]))
    assert [thing["kind"] for thing in found] == ["ClusterRole", "ClusterRoleBinding"]
    assert found[1]["subjects"][0]["name"] == found[1]["roleRef"]["name"] == VIEWS


def test_a_policy_for_a_namespace_that_is_not_there_yet_is_bound_nowhere() -> None:
    kinds = [thing["kind"] for thing in objects_of([("AmazonEKSEditPolicy", "shop")], ["default"])]
    assert kinds == ["ClusterRole"]


def test_grants_are_an_associations_policy_and_namespaces() -> None:
    prefix = "arn:aws:eks::aws:cluster-access-policy/"
    scopes = {
        prefix + "AmazonEKSViewPolicy": {"type": "cluster", "namespaces": []},
        prefix + "AmazonEKSEditPolicy": {"type": "namespace", "namespaces": ["a", "b"]},
    }
    assert list(grants(scopes)) == [
        ("AmazonEKSViewPolicy", ""), ("AmazonEKSEditPolicy", "a"), ("AmazonEKSEditPolicy", "b"),
    ]  # fmt: skip


def test_edit_allows_what_aws_lists_and_no_more_than_that() -> None:
    assert allows("Edit", "patch", "apps", "deployments")
    assert allows("Edit", "get", "apps", "deployments"), "it includes what one may view"
    assert allows("Edit", "get", "", "secrets")
    assert not allows("Edit", "create", "coordination.k8s.io", "leases")
    assert not allows("Edit", "create", "rbac.authorization.k8s.io", "roles")
    assert not allows("Edit", "patch", "", "namespaces")
    assert not allows("View", "get", "", "secrets")
    assert {verb for rule in rules("AmazonEKSViewPolicy") for verb in rule["verbs"]} == {
        "get",
        "list",
        "watch",
    }
    assert allows("Admin", "create", "rbac.authorization.k8s.io", "rolebindings")
