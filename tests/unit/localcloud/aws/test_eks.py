from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.aws.local_aws import LocalAws

PRINCIPAL = "arn:aws:iam::123456789012:role/team/deploy"
POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"


def test_a_cluster_answers_with_what_it_was_asked_for_and_ekss_defaults(aws: LocalAws) -> None:
    made = aws.make_cluster()
    described = aws.client("eks").describe_cluster(name="shop-local")["cluster"]
    for cluster in (made, described):
        assert cluster["version"] == "1.35"
        assert cluster["accessConfig"]["authenticationMode"] == "API"
        assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
        assert cluster["resourcesVpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
        assert cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.20.0.0/16"


def test_a_cluster_shows_the_real_api_server_as_soon_as_there_is_one(aws: LocalAws) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    aws.cluster_file.write_text(
        json.dumps({"endpoint": "https://127.0.0.1:6443", "ca": "Q0E=", "issuer": "https://issuer"})
    )
    cluster = eks.describe_cluster(name="shop-local")["cluster"]
    assert cluster["endpoint"] == "https://127.0.0.1:6443"
    assert cluster["certificateAuthority"]["data"] == "Q0E="
    assert cluster["identity"]["oidc"]["issuer"] == "https://issuer"


def test_a_cluster_file_that_is_not_ready_or_of_another_is_ignored(aws: LocalAws, subtests: pytest.Subtests) -> None:
    made = aws.make_cluster()
    for text in ("", "{", "[]", '{"name": "other", "endpoint": "https://no"}'):
        with subtests.test(text):
            aws.cluster_file.write_text(text)
            described = aws.client("eks").describe_cluster(name="shop-local")["cluster"]
            assert described["endpoint"] == made["endpoint"]


def test_an_update_is_merged_and_can_be_followed(aws: LocalAws) -> None:
    before = aws.make_cluster()["resourcesVpcConfig"]
    eks = aws.client("eks")
    change = {"publicAccessCidrs": ["198.51.100.0/24"]}
    update = eks.update_cluster_config(name="shop-local", resourcesVpcConfig=change)["update"]
    assert eks.describe_update(name="shop-local", updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name="shop-local")["cluster"]["resourcesVpcConfig"] == {**before, **change}


def test_log_types_are_switched_one_by_one(aws: LocalAws) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    for types, enabled in ((["api", "audit"], True), (["api"], False)):
        eks.update_cluster_config(name="shop-local", logging={"clusterLogging": [{"types": types, "enabled": enabled}]})
    logging = eks.describe_cluster(name="shop-local")["cluster"]["logging"]["clusterLogging"]
    assert [setup["types"] for setup in logging if setup["enabled"]] == [["audit"]]


def test_addons_are_made_changed_listed_and_deleted(aws: LocalAws) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    addon: dict[str, Any] = {"clusterName": "shop-local", "addonName": "vpc-cni"}
    eks.create_addon(**addon, addonVersion="v1.21.1-eksbuild.1", configurationValues="{}")
    eks.update_addon(**addon, addonVersion="v1.21.1-eksbuild.3")
    described = eks.describe_addon(**addon)["addon"]
    assert (described["addonVersion"], described["status"]) == ("v1.21.1-eksbuild.3", "ACTIVE")
    assert eks.list_addons(clusterName="shop-local")["addons"] == ["vpc-cni"]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        eks.create_addon(**addon)
    eks.delete_addon(**addon)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.describe_addon(**addon)


def test_an_addon_that_aws_does_not_have_is_refused(aws: LocalAws) -> None:
    aws.make_cluster()
    with pytest.raises(ClientError, match="InvalidParameterException"):
        aws.client("eks").create_addon(clusterName="shop-local", addonName="magic")


def test_access_entries_and_policies_are_kept_under_encoded_arns(aws: LocalAws) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    entry: dict[str, Any] = {"clusterName": "shop-local", "principalArn": aws.role("team/deploy")}
    made = eks.create_access_entry(**entry, kubernetesGroups=["team"], tags={"a": "1"})["accessEntry"]
    assert made["username"] == "arn:aws:sts::123456789012:assumed-role/deploy/{{SessionName}}"
    scope = {"type": "namespace", "namespaces": ["shop"]}
    eks.associate_access_policy(**entry, policyArn=POLICY, accessScope=scope)
    (association,) = eks.list_associated_access_policies(**entry)["associatedAccessPolicies"]
    assert (association["policyArn"], association["accessScope"]) == (POLICY, scope)
    eks.tag_resource(resourceArn=made["accessEntryArn"], tags={"b": "2"})
    eks.untag_resource(resourceArn=made["accessEntryArn"], tagKeys=["a"])
    assert eks.describe_access_entry(**entry)["accessEntry"]["tags"] == {"b": "2"}
    eks.disassociate_access_policy(**entry, policyArn=POLICY)
    assert not eks.list_associated_access_policies(**entry)["associatedAccessPolicies"]
    eks.delete_access_entry(**entry)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.describe_access_entry(**entry)


def test_an_access_entry_is_made_once(aws: LocalAws) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    eks.create_access_entry(clusterName="shop-local", principalArn=aws.role("team/deploy"))
    with pytest.raises(ClientError, match="ResourceInUseException"):
        eks.create_access_entry(clusterName="shop-local", principalArn=PRINCIPAL)


def test_an_access_entry_can_not_hand_out_kubernetes_own_groups(aws: LocalAws) -> None:
    aws.make_cluster()
    with pytest.raises(ClientError, match="InvalidParameterException"):
        aws.client("eks").create_access_entry(
            clusterName="shop-local", principalArn=aws.role("team/deploy"), kubernetesGroups=["system:masters"]
        )


@pytest.mark.parametrize(
    ("policy", "scope"),
    [
        (POLICY, {"type": "namespace", "namespaces": []}),
        (POLICY, {"type": "cluster", "namespaces": ["shop"]}),
        (POLICY.replace("Edit", "Magic"), {"type": "cluster"}),
    ],
)
def test_an_association_that_eks_would_refuse_is_refused(aws: LocalAws, policy: str, scope: dict[str, Any]) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    eks.create_access_entry(clusterName="shop-local", principalArn=aws.role("team/deploy"))
    with pytest.raises(ClientError, match="InvalidParameterException"):
        eks.associate_access_policy(
            clusterName="shop-local", principalArn=PRINCIPAL, policyArn=policy, accessScope=scope
        )


def test_entries_are_found_by_their_policy(aws: LocalAws) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    for name in ("one", "two"):
        eks.create_access_entry(clusterName="shop-local", principalArn=aws.role(name))
    chosen = "arn:aws:iam::123456789012:role/two"
    eks.associate_access_policy(
        clusterName="shop-local", principalArn=chosen, policyArn=POLICY, accessScope={"type": "cluster"}
    )
    entries = eks.list_access_entries(clusterName="shop-local", associatedPolicyArn=POLICY)["accessEntries"]
    assert entries == [chosen]
    known = eks.list_access_policies()["accessPolicies"]
    assert {"name": "AmazonEKSEditPolicy", "arn": POLICY} in known


def test_pod_identity_associations_round_trip(aws: LocalAws) -> None:
    aws.make_cluster()
    eks = aws.client("eks")
    pod: dict[str, Any] = {"clusterName": "shop-local", "namespace": "shop", "serviceAccount": "app"}
    made = eks.create_pod_identity_association(**pod, roleArn=aws.role("a"))["association"]
    key: dict[str, Any] = {"clusterName": "shop-local", "associationId": made["associationId"]}
    eks.update_pod_identity_association(**key, roleArn=aws.role("b"))
    assert eks.describe_pod_identity_association(**key)["association"]["roleArn"].endswith("/b")
    assert len(eks.list_pod_identity_associations(clusterName="shop-local")["associations"]) == 1
    eks.delete_pod_identity_association(**key)
    assert not eks.list_pod_identity_associations(clusterName="shop-local")["associations"]


def test_a_node_group_has_an_auto_scaling_group_that_follows_it(aws: LocalAws) -> None:
    subnets = aws.make_cluster()["resourcesVpcConfig"]["subnetIds"]
    eks, scaling = aws.client("eks"), aws.client("autoscaling")
    group: dict[str, Any] = {"clusterName": "shop-local", "nodegroupName": "main"}
    made = eks.create_nodegroup(
        **group,
        subnets=subnets,
        nodeRole=aws.role("node"),
        scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 2},
        updateConfig={"maxUnavailable": 1},
    )["nodegroup"]
    assert (made["version"], made["updateConfig"]) == ("1.35", {"maxUnavailable": 1})
    name = made["resources"]["autoScalingGroups"][0]["name"]

    def scaling_groups() -> Any:
        return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]

    assert len(scaling_groups()[0]["Instances"]) == 2
    eks.update_nodegroup_config(**group, scalingConfig={"minSize": 1, "maxSize": 3, "desiredSize": 1})
    assert len(scaling_groups()[0]["Instances"]) == 1
    assert "arn:aws:iam::123456789012:role/node" in eks.list_access_entries(clusterName="shop-local")["accessEntries"]
    eks.delete_nodegroup(**group)
    assert scaling_groups() == []


def test_deleting_the_cluster_deletes_its_security_group(aws: LocalAws) -> None:
    group = aws.make_cluster()["resourcesVpcConfig"]["clusterSecurityGroupId"]
    aws.client("eks").delete_cluster(name="shop-local")
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        aws.client("ec2").describe_security_groups(GroupIds=[group])
