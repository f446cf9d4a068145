"""What the Kubernetes sources promise, as an overlay has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.manifests import (
    BASE,
    OVERLAYS,
    ROOT,
    Object,
    container,
    deployment,
    environment,
    granted,
    gunicorn,
    objects,
    patches,
    pre_stop,
)


def test_every_file_of_the_base_is_applied() -> None:
    listed = objects(ROOT / "k8s/base/kustomization.yaml")[0]["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == sorted(file.name for file in (ROOT / "k8s/base").iterdir())


def test_the_namespace_refuses_pods_that_are_not_restricted() -> None:
    labels = BASE["Namespace", "shop"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_what_deployers_get_beyond_the_edit_policy_is_the_lock_alone() -> None:
    assert [rule["resources"] for rule in BASE["Role", "deployers"]["rules"]] == [["leases"]]
    (group,) = BASE["RoleBinding", "deployers"]["subjects"]
    terraform = (ROOT / "terraform/cluster.tf").read_text(encoding="utf-8")
    assert group["name"] == "shop-deployers"
    assert 'kubernetes_groups = ["${var.app_namespace}-deployers"]' in terraform


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_is_given_the_time_that_draining_and_running_requests_take(overlay: str) -> None:
    grace = deployment(overlay)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace >= pre_stop(overlay) + gunicorn("graceful_timeout") + 5


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_drains_for_longer_than_it_takes_to_be_found_unready(overlay: str) -> None:
    probe = container(overlay)["readinessProbe"]
    assert pre_stop(overlay) > probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] - 1


def test_in_production_a_pod_drains_for_as_long_as_the_balancer_needs() -> None:
    assert pre_stop("staging") == pre_stop("production") >= 25


def test_idle_connections_outlive_the_balancers_timeout() -> None:
    assert gunicorn("keepalive") > 60


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_rollout_never_lowers_capacity(overlay: str) -> None:
    strategy = deployment(overlay)["spec"]["strategy"]
    assert strategy["type"] == "RollingUpdate"
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_three_replicas_at_least_by_one_owner(overlay: str) -> None:
    deleted = any(p["kind"] == "HorizontalPodAutoscaler" and p.get("$patch") == "delete" for p in patches(overlay))
    fixed = objects(ROOT / "k8s/overlays" / overlay / "kustomization.yaml")[0].get("replicas", [])
    assert "replicas" not in deployment(overlay)["spec"]
    assert bool(fixed) is deleted
    assert (fixed[0]["count"] if fixed else BASE["HorizontalPodAutoscaler", "app"]["spec"]["minReplicas"]) >= 3


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_readiness_and_liveness_ask_different_pages(overlay: str) -> None:
    only = container(overlay)
    assert only["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert only["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert all(only[probe]["httpGet"]["port"] == "http" for probe in ("readinessProbe", "livenessProbe"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_can_do_nothing_but_serve(overlay: str) -> None:
    pod, only = deployment(overlay)["spec"]["template"]["spec"], container(overlay)
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "app"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"]["allowPrivilegeEscalation"] is False
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all(volume.keys() == {"name", "emptyDir"} and volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_requests_and_limits_are_set(overlay: str) -> None:
    resources = container(overlay)["resources"]
    assert {"cpu", "memory", "ephemeral-storage"} == resources["requests"].keys() == resources["limits"].keys()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_replicas_may_share_the_only_node(overlay: str) -> None:
    pod = deployment(overlay)["spec"]["template"]["spec"]
    assert all(rule["whenUnsatisfiable"] == "ScheduleAnyway" for rule in pod["topologySpreadConstraints"])
    assert pod["affinity"]["podAntiAffinity"].keys() == {"preferredDuringSchedulingIgnoredDuringExecution"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_application_accepts_its_settings(overlay: str) -> None:
    from application.settings import Settings

    settings = Settings.read(environment(overlay))
    assert settings.proxy_hops == 1
    assert settings.draining_file == Path("/tmp/draining")


def test_the_services_name_adds_no_variables_that_look_like_settings() -> None:
    assert BASE["Deployment", "app"]["spec"]["template"]["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_overlay_repeats_the_domain(overlay: str) -> None:
    domain = re.findall(
        r'^domain_name\s*=\s*"([^"]+)"',
        (ROOT / f"terraform/environments/{overlay}.tfvars").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(domain) == 1
    for path in (ROOT / "k8s" / "overlays" / overlay).iterdir():
        assert domain[0] not in path.read_text(encoding="utf-8")
    assert "APP_TRUSTED_HOSTS" not in environment(overlay), "the release sets it, from Terraform's outputs"


def test_service_policy_budget_and_autoscaler_find_the_pods() -> None:
    pods = BASE["Deployment", "app"]["spec"]["template"]["metadata"]["labels"]
    assert BASE["Service", "app"]["spec"]["selector"] == pods
    assert BASE["PodDisruptionBudget", "app"]["spec"]["selector"]["matchLabels"] == pods
    assert BASE["NetworkPolicy", "app"]["spec"]["podSelector"]["matchLabels"] == pods
    assert BASE["HorizontalPodAutoscaler", "app"]["spec"]["scaleTargetRef"]["name"] == "app"


def test_the_service_is_reached_through_any_node_on_one_port() -> None:
    spec = BASE["Service", "app"]["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"], spec["ports"][0]["nodePort"]) == ("NodePort", "Cluster", 30080)


def test_traffic_is_denied_unless_a_policy_allows_it() -> None:
    assert BASE["NetworkPolicy", "default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert reached(BASE["NetworkPolicy", "app"]) == {("kube-dns", 53), ("169.254.170.23/32", 80)}


def reached(policy: Object) -> set[tuple[str, int]]:
    """Whom POLICY lets the service reach, as an address range or the name of pods, and at which ports."""
    return {
        (peer["ipBlock"]["cidr"] if "ipBlock" in peer else peer["podSelector"]["matchLabels"]["k8s-app"], port["port"])
        for rule in policy["spec"]["egress"]
        for peer in rule["to"]
        for port in rule["ports"]
    }


def test_a_pod_may_fetch_the_credentials_of_its_identity() -> None:
    (rule,) = (rule for rule in BASE["NetworkPolicy", "app"]["spec"]["egress"] if "ipBlock" in rule["to"][0])
    # https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
    assert rule == {"to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}], "ports": [{"port": 80, "protocol": "TCP"}]}


def component(name: str) -> Object:
    folder = ROOT / "k8s/components" / name
    (kustomization,) = objects(folder / "kustomization.yaml")
    assert kustomization["kind"] == "Component"
    (file,) = kustomization["resources"]
    (policy,) = objects(folder / file)
    assert policy["spec"]["podSelector"] == BASE["NetworkPolicy", "app"]["spec"]["podSelector"]
    assert policy["spec"]["policyTypes"] == ["Egress"]
    return dict(policy)


def test_an_overlay_may_open_the_way_to_a_database_in_the_vpc() -> None:
    variables = (ROOT / "terraform/variables.tf").read_text(encoding="utf-8")
    vpc = re.search(r'"vpc_cidr" \{.*?default += "([^"]+)"', variables, re.DOTALL)
    assert vpc
    assert reached(component("database")) == {(vpc[1], 5432)}


def test_an_overlay_may_open_the_way_to_aws_but_not_to_the_nodes_credentials() -> None:
    policy = component("aws-services")
    assert reached(policy) == {("0.0.0.0/0", 443)}
    assert policy["spec"]["egress"][0]["to"][0]["ipBlock"]["except"] == ["169.254.0.0/16"]


@pytest.mark.parametrize("overlay", ["staging", "production"])
def test_an_overlay_names_what_it_may_open(overlay: str) -> None:
    text = (ROOT / f"k8s/overlays/{overlay}/kustomization.yaml").read_text(encoding="utf-8")
    offered = {path.name for path in (ROOT / "k8s/components").iterdir()}
    assert set(re.findall(r"\.\./\.\./components/([a-z-]+)", text)) == offered


def test_terraform_names_the_deployment_and_the_service_account_of_the_manifests() -> None:
    things = {thing["kind"]: thing for thing in objects(ROOT / "k8s/base/deployment.yaml")}
    names = {
        "app_deployment": things["Deployment"]["metadata"]["name"],
        "app_service_account": things["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"],
    }
    text = (ROOT / "terraform/variables.tf").read_text(encoding="utf-8")
    assert names == dict(
        re.findall(r'variable "(app_(?:deployment|service_account))" {[^}]*?default +="? *"(\w+)"', text)
    )


def test_the_autoscaler_of_nodes_uses_the_role_and_the_groups_that_terraform_made() -> None:
    things = {thing["kind"]: thing for thing in objects(ROOT / "k8s/cluster-autoscaler/autoscaler.yaml")}
    pod = things["Deployment"]["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    terraform = (ROOT / "terraform/autoscaler.tf").read_text(encoding="utf-8")
    assert f'service_account = "{pod["serviceAccountName"]}"' in terraform
    assert f'namespace       = "{things["Deployment"]["metadata"]["namespace"]}"' in terraform
    assert things["ServiceAccount"]["metadata"]["name"] == pod["serviceAccountName"]
    tags = "asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/$(CLUSTER)"
    assert f"--node-group-auto-discovery={tags}" in only["command"]
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_the_autoscaler_of_nodes_is_of_the_clusters_minor_version() -> None:
    things = {thing["kind"]: thing for thing in objects(ROOT / "k8s/cluster-autoscaler/autoscaler.yaml")}
    image = things["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"]
    variables = (ROOT / "terraform/variables.tf").read_text(encoding="utf-8")
    version = re.search(r'"kubernetes_version" \{.*?default += "([^"]+)"', variables, re.DOTALL)
    assert version
    assert image.startswith(f"registry.k8s.io/autoscaling/cluster-autoscaler:v{version[1]}.")


def test_a_broken_pod_does_not_keep_a_node_from_being_drained() -> None:
    spec = BASE["PodDisruptionBudget", "app"]["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_pods_of_the_old_revision_do_not_decide_where_those_of_the_new_one_go() -> None:
    """Where all old pods are on one node, as after a drain, all new ones would be on the other."""
    pod = BASE["Deployment", "app"]["spec"]["template"]["spec"]
    (near,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    rules = [*pod["topologySpreadConstraints"], near["podAffinityTerm"]]
    assert [rule["topologyKey"] for rule in rules] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all(rule.get("matchLabelKeys") == ["pod-template-hash"] for rule in rules)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_pod_is_replaced_soon_after_its_node_has_died_and_before_a_rollout_gives_up(overlay: str) -> None:
    tolerations = deployment(overlay)["spec"]["template"]["spec"]["tolerations"]
    soon = {toleration["key"]: toleration["tolerationSeconds"] for toleration in tolerations}
    assert soon == {"node.kubernetes.io/unreachable": 30, "node.kubernetes.io/not-ready": 30}
    assert all(toleration["effect"] == "NoExecute" for toleration in tolerations)


def test_every_alarm_leads_to_a_runbook() -> None:
    text = (ROOT / "terraform" / "monitoring.tf").read_text(encoding="utf-8")
    symptoms = re.findall(r"^    ([a-z0-9-]+) = \{\n      description", text, re.MULTILINE)
    assert len(symptoms) >= 5
    assert text.count('docs/runbooks/${each.key}.md"') == 1
    linked = {*symptoms, *re.findall(r"docs/runbooks/([a-z0-9-]+)\.md", text)}
    written = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert linked == written


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_start_may_take_as_long_as_in_production(overlay: str) -> None:
    assert granted(overlay) >= granted("production") >= 58
