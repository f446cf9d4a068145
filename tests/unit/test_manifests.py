"""What the Kubernetes sources promise, read as they are written: an overlay's value, else the base's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ("local", "staging", "production")
Object = dict[str, Any]


def objects(file: Path) -> list[Object]:
    return [thing for thing in yaml.safe_load_all(file.read_text(encoding="utf-8")) if thing]


def patches(overlay: str) -> list[Object]:
    folder = ROOT / "k8s" / "overlays" / overlay
    listed = objects(folder / "kustomization.yaml")[0].get("patches", [])
    return [objects(folder / p["path"])[0] if "path" in p else yaml.safe_load(p["patch"]) for p in listed]


def merged(base: Any, patch: Any) -> Any:
    """Merge as kustomize does what these overlays use: mappings by key, lists of named things by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        both = base | {key: merged(base.get(key), value) for key, value in patch.items()}
        return {key: value for key, value in both.items() if value is not None}
    named = (
        isinstance(base, list) and isinstance(patch, list) and all("name" in x for x in patch if isinstance(x, dict))
    )
    if named and patch and isinstance(patch[0], dict):
        both = {x["name"]: x for x in base}
        return list({**both, **{x["name"]: merged(both.get(x["name"]), x) for x in patch}}.values())
    return patch


BASE = {
    (x["kind"], x["metadata"]["name"]): x
    for file in sorted((ROOT / "k8s/base").glob("*.yaml"))
    for x in objects(file)
    if "metadata" in x
}


def deployment(overlay: str) -> Object:
    result = BASE["Deployment", "app"]
    for patch in patches(overlay):
        if patch["kind"] == "Deployment":
            result = merged(result, patch)
    return result


def container(overlay: str) -> Object:
    (only,) = deployment(overlay)["spec"]["template"]["spec"]["containers"]
    return dict(only)


def environment(overlay: str) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container(overlay)["env"]}


def granted(overlay: str) -> int:
    """Seconds after its start at which a container that never answers is killed: of the probe that asks first."""
    made = container(overlay)
    probe = made.get("startupProbe") or made["livenessProbe"]
    return int(probe.get("initialDelaySeconds", 0) + (probe["failureThreshold"] - 1) * probe["periodSeconds"])


def gunicorn(name: str) -> int:
    found = re.search(
        rf"^{name} = (\d+)", (ROOT / "application/gunicorn.conf.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found
    return int(found[1])


def pre_stop(overlay: str) -> int:
    shell, option, line = container(overlay)["lifecycle"]["preStop"]["exec"]["command"]
    found = re.fullmatch(r"touch (\S+)/draining && sleep (\d+)", line)
    assert (shell, option) == ("/bin/sh", "-c")
    assert found
    assert found[1] == environment(overlay)["APP_RUN_DIR"]
    return int(found[2])


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
