"""Workloads beside what a manifest has already: names and selectors that must not meet."""

from __future__ import annotations

import copy

import pytest
from msgspec.structs import replace

from longshore.errors import BadInput
from longshore.rollout import workloads
from longshore.rollout.selectors import selects
from longshore.rollout.shape import shape
from longshore.rollout.workloads import LABEL
from tests.unit.rollout.manifests import APART, KINDS, OWN, WORKER, around, labels_of, pod_of, policy, shaped, web
from tests.unit.rollout.things import NAME, TARGET, Thing, item, variables


@pytest.mark.parametrize("kind", KINDS)
def test_no_service_or_budget_or_deployment_selects_its_pods(kind: str) -> None:
    objects = shaped(more=KINDS[kind])
    labels = labels_of(objects[kind, "site-more"])
    assert labels == {"app.kubernetes.io/part-of": "shop", NAME: "site-more", LABEL: "site-more"}
    for title in (("Deployment", "site"), ("PodDisruptionBudget", "site")):
        assert not selects(objects[title]["spec"]["selector"], labels), title
    for name in ("front", "inner"):
        assert not selects({"matchLabels": objects["Service", name]["spec"]["selector"]}, labels), name


def test_its_pods_keep_apart_from_each_other() -> None:
    objects = shaped(mail=WORKER)
    pod, own = pod_of(objects["Deployment", "site-mail"]), {"matchLabels": {LABEL: "site-mail"}}
    assert pod["topologySpreadConstraints"][0]["labelSelector"] == own
    (near,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert near["podAffinityTerm"]["labelSelector"] == own
    assert pod_of(objects["Deployment", "site"])["topologySpreadConstraints"][0]["labelSelector"] == APART


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


@pytest.mark.parametrize(("kind", "most"), [("Deployment", 63), ("CronJob", 52), ("Job", 55)])
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


def test_the_pods_of_each_workload_are_found_by_their_own_labels_the_web_service_first() -> None:
    objects = shaped(mail=WORKER, night=KINDS["CronJob"], migrate=KINDS["Job"])
    found = workloads.followed(reversed(objects.values()), "site")
    assert next(iter(found.items())) == ("site", f"{NAME}=site")
    assert found["site-mail"] == f"{LABEL}=site-mail"
    assert found["site-night"] == f"{LABEL}=site-night"
    assert "site-migrate" not in found, "its log is in the report"
