from __future__ import annotations

from localcloud.aws.access_policies import grants, rules
from localcloud.aws.bindings import objects_of

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
    assert [subject["name"] for subject in binding["subjects"]] == [f"{EDITS}:shop"]


def test_a_pattern_is_bound_in_every_namespace_that_matches() -> None:
    objects = objects_of([("AmazonEKSViewPolicy", "dev-*")], ["dev-a", "dev-b", "prod"])
    namespaces = [item["metadata"]["namespace"] for item in objects if item["kind"] == "RoleBinding"]
    assert namespaces == ["dev-a", "dev-b"]


def test_a_clusters_policy_is_a_cluster_role_binding() -> None:
    role, binding = objects_of([("AmazonEKSViewPolicy", "")], ["shop"])
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert binding["subjects"][0]["name"] == binding["roleRef"]["name"] == VIEWS


def test_a_policy_for_a_namespace_that_does_not_exist_yet_is_bound_nowhere() -> None:
    kinds = [item["kind"] for item in objects_of([("AmazonEKSEditPolicy", "shop")], ["default"])]
    assert kinds == ["ClusterRole"]


def test_grants_are_an_associations_policy_and_namespaces() -> None:
    prefix = "arn:aws:eks::aws:cluster-access-policy/"
    scopes = {
        prefix + "AmazonEKSViewPolicy": {"type": "cluster", "namespaces": []},
        prefix + "AmazonEKSEditPolicy": {"type": "namespace", "namespaces": ["a", "b"]},
    }
    assert list(grants(scopes)) == [
        ("AmazonEKSViewPolicy", ""),
        ("AmazonEKSEditPolicy", "a"),
        ("AmazonEKSEditPolicy", "b"),
    ]


def test_edit_allows_what_aws_lists_and_no_more_than_that() -> None:
    assert allows("Edit", "patch", "apps", "deployments")
    assert allows("Edit", "get", "apps", "deployments"), "it includes the View policy"
    assert allows("Edit", "get", "", "secrets")
    assert not allows("Edit", "create", "coordination.k8s.io", "leases")
    assert not allows("Edit", "create", "rbac.authorization.k8s.io", "roles")
    assert not allows("Edit", "patch", "", "namespaces")
    assert not allows("View", "get", "", "secrets")
    assert {verb for rule in rules("AmazonEKSViewPolicy") for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert allows("Admin", "create", "rbac.authorization.k8s.io", "rolebindings")
