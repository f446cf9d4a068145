"""What a release adds to a manifest for the workloads beside the web service, made from that one's pods."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from longshore.errors import BadInput
from longshore.rollout import workloads
from longshore.rollout.manifest import HOOK, Manifest
from longshore.rollout.selectors import selects
from longshore.rollout.shape import DIGEST, MANIFEST, REVISION, shape
from longshore.rollout.workloads import LABEL, wanted
from longshore.settings.workloads import WorkloadTable
from tests.unit.rollout.things import TARGET, Thing, item, variables

NAME = "app.kubernetes.io/name"
OWN = {NAME: "site"}
APART = {"matchLabels": OWN}
PROBE = {"httpGet": {"path": "/old", "port": "http"}}
STOP = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "touch /run/mark && sleep 7"]}}}
WORKER = WorkloadTable(kind="worker", command=["rq", "worker"])


def web() -> Thing:
    container = {
        "name": "main",
        "image": TARGET.image,
        "args": ["serve"],
        "ports": [{"name": "http", "containerPort": 8000}],
        "lifecycle": copy.deepcopy(STOP),
        "startupProbe": dict(PROBE),
        "readinessProbe": dict(PROBE),
        "livenessProbe": dict(PROBE),
        "env": [{"name": "THEIRS", "value": "kept"}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": {"readOnlyRootFilesystem": True},
    }
    proxy = {"name": "proxy", "image": "proxy:1", "readinessProbe": dict(PROBE), "ports": [{"containerPort": 80}]}
    proxy |= {"resources": {"requests": {"cpu": "10m"}}}
    named = {"matchExpressions": [{"key": NAME, "operator": "In", "values": ["site"]}]}
    near = {"podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": named}}
    spec = {
        "serviceAccountName": "site",
        "securityContext": {"runAsUser": 10001},
        "terminationGracePeriodSeconds": 40,
        "nodeSelector": {"disk": "fast"},
        "topologySpreadConstraints": [{"topologyKey": "zone", "labelSelector": copy.deepcopy(APART)}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [near]}},
        "containers": [container, proxy],
        "initContainers": [{"name": "wait", "image": "busybox"}],
    }
    labels = OWN | {"app.kubernetes.io/part-of": "shop", "tier": "web"}
    template = {"metadata": {"labels": labels, "annotations": {"a": "b"}}, "spec": spec}
    deployment = {"minReadySeconds": 0, "revisionHistoryLimit": 5, "selector": {"matchLabels": OWN}}
    return item("Deployment", "site", "apps/v1", spec=deployment | {"template": template})


def policy(name: str, spec: Thing) -> Thing:
    return item("NetworkPolicy", name, "networking.k8s.io/v1", spec=spec)


def around() -> list[Thing]:
    front = item("Service", "front", spec={"type": "NodePort", "selector": OWN, "ports": [{"port": 80}]})
    budget = item("PodDisruptionBudget", "site", "policy/v1", spec={"selector": {"matchLabels": OWN}})
    scaler = {"scaleTargetRef": {"kind": "Deployment", "name": "site"}, "minReplicas": 3, "maxReplicas": 6}
    inner = item("Service", "inner", spec={"selector": {"tier": "web"}, "ports": [{"port": 80}]})
    return [front, inner, budget, item("HorizontalPodAutoscaler", "site", "autoscaling/v2", spec=scaler)]


def shaped(*more: Thing, **tables: WorkloadTable) -> dict[tuple[str, str], Thing]:
    """The objects of a release with TABLES beside MORE, by kind and name."""
    objects = [web(), *around(), *more]
    target = replace(TARGET, workloads=tuple(tables.items()), secret="s", files=("KEY",), writable=("/srv/logs",))
    shape(objects, target, "mark")
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def pod_of(thing: Thing) -> Thing:
    spec = thing["spec"]["jobTemplate"]["spec"] if thing["kind"] == "CronJob" else thing["spec"]
    return dict(spec["template"]["spec"])


def labels_of(thing: Thing) -> dict[str, str]:
    spec = thing["spec"]["jobTemplate"]["spec"] if thing["kind"] == "CronJob" else thing["spec"]
    return dict(spec["template"]["metadata"]["labels"])


KINDS: Mapping[str, WorkloadTable] = {
    "Deployment": WORKER,
    "CronJob": WorkloadTable(kind="cron", command=["rq", "worker"], schedule="@daily"),
    "Job": WorkloadTable(kind="job", command=["rq", "worker"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_is_what_the_web_service_is_with_another_command(kind: str) -> None:
    objects = shaped(more=KINDS[kind])
    made, service = objects[kind, "site-more"], objects["Deployment", "site"]
    pod, theirs = pod_of(made), pod_of(service)
    container, other = pod["containers"][0], theirs["containers"][0]
    assert container["command"] == ["rq", "worker"]
    assert "args" not in container
    for key in ("image", "name", "volumeMounts", "securityContext", "resources"):
        assert container[key] == other[key], key
    for key in ("serviceAccountName", "securityContext", "volumes", "nodeSelector", "initContainers"):
        assert pod[key] == theirs[key], key
    expected = variables(other)
    del expected["LONGSHORE_DRAINING"]
    assert variables(container) == expected
    assert {"THEIRS", "REVISION", "IMAGE_DIGEST", "KEY_FILE", "POD_NAME", "HOME"} <= expected.keys()
    assert made["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize("kind", KINDS)
def test_no_service_or_budget_or_deployment_selects_its_pods(kind: str) -> None:
    objects = shaped(more=KINDS[kind])
    labels = labels_of(objects[kind, "site-more"])
    assert labels == {"app.kubernetes.io/part-of": "shop", NAME: "site-more", LABEL: "site-more"}
    for title in (("Deployment", "site"), ("PodDisruptionBudget", "site")):
        assert not selects(objects[title]["spec"]["selector"], labels), title
    for name in ("front", "inner"):
        assert not selects({"matchLabels": objects["Service", name]["spec"]["selector"]}, labels), name


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_asks_a_workload_and_nothing_delays_its_end(kind: str) -> None:
    pod = pod_of(shaped(more=KINDS[kind])[kind, "site-more"])
    for container in pod["containers"]:
        assert not container.keys() & {"startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "ports"}


def test_a_worker_has_a_deployment_of_its_own() -> None:
    objects = shaped(mail=replace(WORKER, replicas=3, drain=90.5))
    spec = objects["Deployment", "site-mail"]["spec"]
    assert spec["replicas"] == 3
    assert spec["selector"] == {"matchLabels": {LABEL: "site-mail"}}
    assert spec["minReadySeconds"] == 5, "a crash at start comes before it counts"
    assert spec["revisionHistoryLimit"] == 5
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 91
    assert len(spec["template"]["spec"]["containers"]) == 2, "what stands beside the service stands beside a worker"
    assert objects["PodDisruptionBudget", "site-mail"]["spec"]["selector"] == spec["selector"]
    assert ("PodDisruptionBudget", "site-one") not in shaped(one=WORKER), "a budget of one pod would only be in the way"


def test_without_a_word_there_is_one_worker_with_a_minute_to_end() -> None:
    spec = shaped(mail=WORKER)["Deployment", "site-mail"]["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["terminationGracePeriodSeconds"]) == (1, 60)


def test_its_pods_keep_apart_from_each_other() -> None:
    objects = shaped(mail=WORKER)
    pod, own = pod_of(objects["Deployment", "site-mail"]), {"matchLabels": {LABEL: "site-mail"}}
    assert pod["topologySpreadConstraints"][0]["labelSelector"] == own
    (near,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert near["podAffinityTerm"]["labelSelector"] == own
    assert pod_of(objects["Deployment", "site"])["topologySpreadConstraints"][0]["labelSelector"] == APART


def test_an_autoscaler_owns_the_number_between_min_and_max() -> None:
    objects = shaped(mail=replace(WORKER, min=2, max=9))
    assert "replicas" not in objects["Deployment", "site-mail"]["spec"]
    scaler = objects["HorizontalPodAutoscaler", "site-mail"]["spec"]
    assert (scaler["scaleTargetRef"]["name"], scaler["minReplicas"], scaler["maxReplicas"]) == ("site-mail", 2, 9)


def test_nothing_is_made_of_a_worker_without_replicas() -> None:
    assert not [key for key in shaped(mail=replace(WORKER, replicas=0)) if "site-mail" in key[1]]


def test_resources_replace_what_the_service_asks_for() -> None:
    table = replace(WORKER, cpu="2", memory="1Gi")
    (container, _) = pod_of(shaped(mail=table)["Deployment", "site-mail"])["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "2", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "1Gi"},
    }
    (container, _) = pod_of(shaped(mail=replace(WORKER, cpu="250m"))["Deployment", "site-mail"])["containers"]
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "128Mi"}
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "256Mi"}


def test_a_cron_job_runs_one_at_a_time_and_ends_with_its_program() -> None:
    spec = shaped(night=KINDS["CronJob"])["CronJob", "site-night"]["spec"]
    assert (spec["schedule"], spec["concurrencyPolicy"]) == ("@daily", "Forbid")
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 86400, "one that hangs would be the last one"
    short = shaped(night=replace(KINDS["CronJob"], deadline=90.5))["CronJob", "site-night"]["spec"]["jobTemplate"]
    assert short["spec"]["activeDeadlineSeconds"] == 91
    assert spec["timeZone"] == "Etc/UTC", "else it is that of the machine that the cluster's controllers run on"
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert [each["name"] for each in pod["containers"]] == ["main"], "a proxy would not end"


@pytest.mark.parametrize(("when", "hook"), [("", "before"), ("before", "before"), ("after", "after")])
def test_a_job_is_a_hook(when: Any, hook: str) -> None:
    objects = shaped(migrate=replace(KINDS["Job"], when=when))
    job = objects["Job", "site-migrate"]
    assert job["metadata"]["annotations"] == {HOOK: hook}
    assert job["spec"]["backoffLimit"] == 0
    manifest = Manifest.parse(Manifest(rolled_out=tuple(objects.values())).text)
    assert [each["metadata"]["name"] for each in getattr(manifest, hook)] == ["site-migrate"]


def test_what_a_release_is_recognised_by_stands_on_workloads_too() -> None:
    objects = shaped(mail=WORKER, night=KINDS["CronJob"])
    noted = {MANIFEST: "mark", REVISION: TARGET.revision, DIGEST: TARGET.digest}
    for kind, name in (("Deployment", "site-mail"), ("CronJob", "site-night")):
        assert objects[kind, name]["metadata"]["annotations"] == noted
    manifest = Manifest(rolled_out=tuple(objects.values()))
    assert (manifest.asked.workload, manifest.asked.service) == ("site", "front"), "and it is asked as before"


def test_workloads_may_reach_what_the_service_may_and_nobody_reaches_them() -> None:
    everything = policy("default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
    out = [{"to": [{"podSelector": {"matchLabels": {"app": "queue"}}}]}]
    reaches = {
        "podSelector": {"matchLabels": OWN},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{}],
        "egress": out,
    }
    queue = {
        "podSelector": {"matchLabels": {"app": "queue"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": OWN}}]}, {"ports": []}],
    }
    common = copy.deepcopy(queue) | {"ingress": [{"from": [{"podSelector": {}}]}]}
    given = [everything, policy("site", reaches), policy("queue", queue), policy("common", common)]
    objects = shaped(*copy.deepcopy(given), mail=WORKER)
    made = objects["NetworkPolicy", "site-workloads"]["spec"]
    assert selects(made["podSelector"], labels_of(objects["Deployment", "site-mail"]))
    assert not selects(made["podSelector"], labels_of(objects["Deployment", "site"]))
    assert (made["policyTypes"], made["egress"], "ingress" in made) == (["Ingress", "Egress"], out, False)
    assert objects["NetworkPolicy", "queue"]["spec"] == queue
    assert objects["NetworkPolicy", "queue-for-workloads"]["spec"] == {
        "podSelector": queue["podSelector"],
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": OWN}}, {"podSelector": workloads.ANY}]}, {"ports": []}],
    }, "all of it, since it may come before the one that it is made from"
    assert objects["NetworkPolicy", "common"]["spec"] == common, "that one lets in every pod"
    assert len([key for key in objects if key[0] == "NetworkPolicy"]) == 6
    assert len([key for key in shaped(*given) if key[0] == "NetworkPolicy"]) == 4, "without workloads all stays"


def test_the_web_service_itself_may_be_said_more_of() -> None:
    command = ["gunicorn", "--workers=4", "site:app"]
    objects = shaped(web=WorkloadTable(kind="web", command=command, replicas=4, memory="1Gi"), mail=WORKER)
    spec = objects["Deployment", "site"]["spec"]
    (container, _) = spec["template"]["spec"]["containers"]
    assert (container["command"], "args" in container, spec["replicas"]) == (command, False, 4)
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert "readinessProbe" in container
    assert ("HorizontalPodAutoscaler", "site") not in objects, "two would set the number in turns"
    (worker, _) = pod_of(objects["Deployment", "site-mail"])["containers"]
    assert worker["resources"]["limits"]["memory"] == "256Mi", "that was said of the web service alone"
    assert ("Deployment", "site-web") not in objects


def test_the_web_service_may_be_scaled_by_load() -> None:
    objects = shaped(web=WorkloadTable(kind="web", min=2, max=20))
    scaler = objects["HorizontalPodAutoscaler", "site"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 20)
    objects_of = [web(), around()[0]]
    shape(objects_of, replace(TARGET, workloads=(("web", WorkloadTable(kind="web", min=2, max=20)),)), "mark")
    assert objects_of[-1]["spec"]["scaleTargetRef"]["name"] == "site", "also where the overlay has no autoscaler"


def test_another_autoscaler_is_told_in_its_own_words() -> None:
    keda = item("ScaledObject", "queue", "keda.sh/v1alpha1", spec={"scaleTargetRef": {"name": "site"}, "triggers": []})
    objects = [web(), around()[0], keda]
    shape(objects, replace(TARGET, workloads=(("web", WorkloadTable(kind="web", min=2, max=20)),)), "mark")
    assert keda["spec"] == {
        "scaleTargetRef": {"name": "site"},
        "triggers": [],
        "minReplicaCount": 2,
        "maxReplicaCount": 20,
    }
    assert len(objects) == 3


def test_an_object_of_that_name_in_the_manifest_is_refused() -> None:
    theirs = web()
    theirs["metadata"]["name"] = "site-mail"
    theirs["spec"]["template"]["metadata"]["labels"] = {"app": "theirs"}
    with pytest.raises(BadInput, match="Deployment site-mail is in the manifest"):
        shaped(theirs, mail=WORKER)


def test_a_policy_of_that_name_in_the_manifest_is_refused_as_well() -> None:
    reaches = policy("site", {"podSelector": {"matchLabels": OWN}, "policyTypes": ["Egress"], "egress": [{}]})
    theirs = policy("site-workloads", {"podSelector": {"matchLabels": {"app": "theirs"}}})
    with pytest.raises(BadInput, match="NetworkPolicy site-workloads is in the manifest"):
        shaped(reaches, theirs, mail=WORKER)


def test_an_object_whose_selector_is_a_text_selects_by_no_label_that_is_known() -> None:
    theirs = policy("theirs", {"selector": "role == 'web'", "ingress": [{"action": "Allow"}]})
    theirs["apiVersion"] = "projectcalico.org/v3"
    assert shaped(theirs, mail=WORKER)["NetworkPolicy", "theirs"] == theirs
    listed = item("Probe", "theirs", "example.com/v1", spec={"selector": [{"role": "web"}]})
    assert shaped(listed, mail=WORKER)["Probe", "theirs"] == listed


@pytest.mark.parametrize(("kind", "most"), [("Deployment", 63), ("CronJob", 52), ("Job", 57)])
def test_a_name_that_kubernetes_would_refuse_is_refused_first(kind: str, most: int) -> None:
    """A label's value has 63 characters. A cron job adds 11 to its name, each run of a hook a number."""

    def named(length: int) -> list[Thing]:
        objects = [web(), *around()]
        objects[0]["metadata"]["name"] = "a" * length
        shape(objects, replace(TARGET, workloads=(("more", KINDS[kind]),)), "mark")
        return objects

    assert (kind, most) in {(each["kind"], len(each["metadata"]["name"])) for each in named(most - len("-more"))}
    with pytest.raises(BadInput, match=f"the workload more would be a {kind} whose name has {most + 1} characters"):
        named(most + 1 - len("-more"))


@pytest.mark.parametrize("table", [replace(WORKER, min=1, max=3), WorkloadTable(kind="web", min=1, max=3)])
@pytest.mark.parametrize("number", [0, 1])
def test_what_asks_for_no_cores_cannot_be_scaled_by_them(table: WorkloadTable, number: int) -> None:
    objects = [web(), around()[0]]
    containers = objects[0]["spec"]["template"]["spec"]["containers"]
    containers[1]["resources"] = {"limits": {"cpu": 1}}  # which Kubernetes takes for a request, too
    shape(copy.deepcopy(objects), replace(TARGET, workloads=(("more", table),)), "mark")
    containers[number]["resources"] = {"requests": None, "limits": {"memory": "1Gi"}}
    with pytest.raises(BadInput, match=f"container {containers[number]['name']} asks for none") as refused:
        shape(copy.deepcopy(objects), replace(TARGET, workloads=(("more", table),)), "mark")
    assert "cpu" in refused.value.hint
    containers[1]["resources"] = {"requests": {"cpu": "10m"}}
    shape(objects, replace(TARGET, workloads=(("more", replace(table, cpu="100m")),)), "mark")


def test_a_worker_is_ready_without_a_gate_that_only_a_load_balancer_opens() -> None:
    objects = [web(), *around()]
    objects[0]["spec"]["template"]["spec"]["readinessGates"] = [{"conditionType": "target-health.elbv2.k8s.aws/x"}]
    shape(objects, replace(TARGET, workloads=(("mail", WORKER),)), "mark")
    (worker,) = [each for each in objects if each["metadata"]["name"] == "site-mail"]
    assert "readinessGates" not in pod_of(worker)
    assert "readinessGates" in pod_of(objects[0])


def test_the_service_never_leads_to_a_second_deployment_of_the_image() -> None:
    """Written by hand: it has a name of its own, folders and secrets, and nothing that asks or marks it."""
    theirs = web()
    theirs["metadata"] = {"name": "queue"}
    theirs["spec"]["template"]["metadata"]["labels"] = {NAME: "queue"}
    container = theirs["spec"]["template"]["spec"]["containers"][0]
    del container["readinessProbe"]
    objects = shaped(theirs)
    made = objects["Deployment", "queue"]
    assert labels_of(made) == {NAME: "queue"}
    assert "annotations" not in made["metadata"]
    assert variables(container).keys() == {"THEIRS", "HOME", "KEY_FILE"}, (
        "a new revision of the same image is no restart"
    )
    assert "readinessProbe" not in container
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/srv/logs", "/run/secrets/app"}


PROCESSES = {
    "web": ["sh", "-c", "exec gunicorn"],
    "worker": ["sh", "-c", "exec rq"],
    "release": ["sh", "-c", "exec migrate"],
    "mail-out": ["sh", "-c", "exec mail"],
}


def test_a_procfile_has_workers_and_a_job_before_the_rollout() -> None:
    found, said = wanted({}, PROCESSES)
    assert dict(found) == {
        "worker": WorkloadTable(kind="worker", command=PROCESSES["worker"]),
        "release": WorkloadTable(kind="job", command=PROCESSES["release"]),
        "mail-out": WorkloadTable(kind="worker", command=PROCESSES["mail-out"]),
    }
    assert said == "from the Procfile: worker (a worker), release (a job before the rollout), mail-out (a worker)"


def test_the_shell_of_a_process_reads_its_line_as_it_is() -> None:
    """Kubernetes puts a variable in place of `$(NAME)` in a command, and makes one `$` of two."""
    ((_, table),), _ = wanted({}, {"mail": ["sh", "-c", "exec rq -n $$-$(hostname) -q $QUEUE ${A}$"]})
    assert table.command == ["sh", "-c", "exec rq -n $$$-$$(hostname) -q $QUEUE ${A}$"]
    given = WorkloadTable(kind="worker", command=["rq", "-q", "$(QUEUE)"])
    assert dict(wanted({"mail": given}, {})[0])["mail"] == given, "in the settings it is as Kubernetes has it"


def test_the_settings_have_the_last_word_and_the_procfile_the_command() -> None:
    tables = {"worker": WorkloadTable(kind="worker", replicas=4), "release": WorkloadTable(kind="job", command=["x"])}
    found, said = wanted(tables, PROCESSES)
    assert dict(found)["worker"] == WorkloadTable(kind="worker", replicas=4, command=PROCESSES["worker"])
    assert dict(found)["release"].command == ["x"]
    assert said == "from the Procfile: mail-out (a worker)"
    assert wanted({}, {}) == ((), "")
    assert wanted({"web": WorkloadTable(kind="web", replicas=2)}, PROCESSES)[0][0][1].command == []


def test_a_workload_without_a_command_is_a_sentence() -> None:
    with pytest.raises(BadInput, match=r"nothing says what \[workloads.mail\] in longshore.toml runs"):
        wanted({"mail": WorkloadTable(kind="worker")}, PROCESSES)
    with pytest.raises(BadInput, match="the Procfile's process a-very-long-name-for-a-process would need a name of"):
        wanted({}, {"a-very-long-name-for-a-process": ["x"]})


def test_the_pods_of_each_workload_are_found_by_their_own_labels_the_web_service_first() -> None:
    objects = shaped(mail=WORKER, night=KINDS["CronJob"], migrate=KINDS["Job"])
    found = workloads.followed(reversed(objects.values()), "site")
    assert next(iter(found.items())) == ("site", f"{NAME}=site")
    assert found["site-mail"] == f"{LABEL}=site-mail"
    assert found["site-night"] == f"{LABEL}=site-night"
    assert "site-migrate" not in found, "its log is in the report"
