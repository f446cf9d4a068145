"""A new release proves itself in one pod that no Service reaches; what serves is not touched before it has."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import Interrupted, StateUnknown
from longshore.settings.rollout import Patience
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.prover import Prover
from tests.unit.rollout.sites import impatient, site_of
from tests.unit.rollout.things import NAME, SERVICE, Thing, app, changed, ended, item, served

FAILED = (Path(__file__).parents[2] / "data" / "reports" / "junit-bad.xml").read_text()
PASSED = (Path(__file__).parents[2] / "data" / "reports" / "junit-good.xml").read_text()


@pytest.fixture
def prover(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> Prover:
    return Prover(kubernetes, kubectl, tmp_path)


def test_a_pod_of_the_release_lives_for_a_while_and_is_gone(prover: Prover) -> None:
    began = time.monotonic()
    prover.prove()
    assert time.monotonic() - began > 0.3
    assert prover.kubernetes.names("Pod") == []
    (pod,) = prover.pods
    assert pod["metadata"]["name"] == "app-prove-7"
    expected = served("two")["spec"]["template"]["spec"]
    assert pod["spec"].items() >= expected.items(), "all that its Deployment's pods have"
    assert pod["spec"]["activeDeadlineSeconds"] > 300, "one that a killed run leaves behind ends by itself"


def test_how_long_it_has_lived_is_said(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    prover = Prover(kubernetes, kubectl, tmp_path, seconds=2.0)  # asking alone takes a busy machine 0.3 s
    prover.prove()
    assert any(re.fullmatch(r"proving: [01] of 2 s", step) for step in prover.steps)


def test_no_service_and_no_replica_set_selects_the_pod(prover: Prover) -> None:
    theirs = item("Service", "theirs", spec={"selector": {"team": "shop"}})
    prover.kubernetes.put(theirs)  # nobody's manifest has it
    budget = item("PodDisruptionBudget", "app", "policy/v1", spec={"selector": {"matchLabels": {"tier": "web"}}})
    deployment = served("two")
    deployment["spec"]["template"]["metadata"]["labels"] |= {"tier": "web", "kept": "yes"}
    prover.prove(deployment, SERVICE, budget)
    assert prover.pods[0]["metadata"]["labels"] == {"kept": "yes", "longshore.dev/prove": "7"}


def test_it_is_asked_through_the_api_server_under_the_public_name(prover: Prover) -> None:
    prover.prove()
    assert {(method, pod, path) for method, pod, path, _ in prover.kubernetes.proxied} == {
        ("GET", "app-prove-7:5000", "/version")
    }
    headers = prover.kubernetes.proxied[0][3]
    assert headers["Host"] == prover.site.url.removeprefix("https://")
    assert headers["X-Forwarded-Proto"] == "https", "as behind the load balancer"
    assert headers["Authorization"] == "Bearer right"


def test_a_pod_that_crashes_is_named_with_its_cause(prover: Prover) -> None:
    prover.kubernetes.crashes = {"two"}
    failed = prover.fails()
    assert "pod app-prove-7 keeps crashing: container app exited with code 3" in failed.sentence
    folder = prover.site.report / "evidence" / "release-7"
    assert "app-prove-7" in (folder / "objects.json").read_text(), "saved while the pod is there"
    assert str(folder) in failed.hint


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ({"ready": False}, "0 of 1 replicas ready"),
        ({"ready": True, "restartCount": 1, "lastState": ended(4)}, "container app exited with code 4"),
    ],
)
def test_a_pod_that_does_not_stay_well_is_none(prover: Prover, state: dict[str, Any], cause: str) -> None:
    prover.site = site_of(prover.kubernetes, prover.kubectl, prover.folder, settings={"prove": 20.0})

    def break_down() -> None:
        prover.wait_until_it_lives()
        if "app-prove-7" in prover.kubernetes.names("Pod"):
            prover.kubernetes.put(changed(prover.kubernetes.get("Pod", "app-prove-7"), **state))

    thread = threading.Thread(target=break_down)
    thread.start()
    failed = prover.fails()
    thread.join()
    assert cause in failed.sentence
    assert "s after it was ready" in failed.sentence


def test_a_pod_with_another_digest_is_none_of_the_release(prover: Prover) -> None:
    prover.site = impatient(prover.site)
    prover.kubernetes.unserved = {"two"}
    failed = prover.fails()
    assert "pod app-prove-7 does not serve the release" in failed.sentence
    assert "error trying to reach service: connection refused" in failed.sentence


def test_smoke_tests_ask_the_pod(prover: Prover) -> None:
    prover.smoke_tests(FAILED)
    assert "the smoke tests fail" in prover.fails().sentence
    (command,) = (command for command in prover.kubectl.ran if "pytest" in command.argv)
    assert str(command.env["LONGSHORE_URL"]).startswith("http://127.0.0.1:")
    assert command.env["LONGSHORE_PROVE"] == "1"
    assert "127.0.0.1" in str(command.env["no_proxy"])


def test_smoke_tests_that_pass_let_it_live_on(prover: Prover) -> None:
    prover.smoke_tests(PASSED)
    prover.prove()
    assert prover.steps[-1].startswith("proving: ")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ('pods "app-prove-7" is forbidden: violates PodSecurity "restricted:latest"', "violates PodSecurity"),
        (
            'pods "app-prove-7" is forbidden: exceeded quota: small, used: pods=3, limited: pods=3',
            "there is no room for a surge pod: ",
        ),
    ],
)
def test_a_pod_that_is_refused_is_known_at_once(prover: Prover, reason: str, sentence: str) -> None:
    prover.kubernetes.refusals = [reason]
    began = time.monotonic()
    assert sentence in prover.fails().sentence
    assert time.monotonic() - began < 5


def test_a_node_without_room_is_said_to_be_that(prover: Prover) -> None:
    message = "0/1 nodes are available: 1 Insufficient cpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    settings = {"prove": 0.3, "patience": Patience(schedule=0.2)}
    prover.site = site_of(prover.kubernetes, prover.kubectl, prover.folder, settings=settings)
    put = prover.kubernetes.put

    def unscheduled(thing: Thing) -> Thing:
        if thing["kind"] == "Pod" and "status" in thing:
            thing["status"] = {"phase": "Pending", "conditions": [condition]}
        return put(thing)

    prover.kubernetes.put = unscheduled  # type: ignore[method-assign]
    failed = prover.fails()
    assert "there is no room for a surge pod: pod app-prove-7 cannot be scheduled" in failed.sentence


def test_what_the_pod_needs_and_is_missing_is_created_and_nothing_is_changed(prover: Prover) -> None:
    prover.kubernetes.apply(item("ConfigMap", "old", data={"a": "b"}))
    new, old = item("ConfigMap", "new", data={}), item("ConfigMap", "old", data={"a": "c"})
    prover.prove(served("two"), SERVICE, item("ServiceAccount", "app"), new, old)
    assert prover.kubernetes.names("ServiceAccount") == ["app"]
    assert prover.kubernetes.get("ConfigMap", "new")
    assert prover.kubernetes.get("ConfigMap", "old")["data"] == {"a": "b"}
    assert prover.kubernetes.names("Deployment") == prover.kubernetes.names("Service") == []


def test_network_policies_of_its_deployment_hold_for_the_pod_and_go_with_it(prover: Prover) -> None:
    def policy(name: str, selector: Thing) -> Thing:
        return item("NetworkPolicy", name, "networking.k8s.io/v1", spec={"podSelector": selector, "ingress": [{}]})

    expressions = [
        {"key": NAME, "operator": "In", "values": ["app", "web"]},
        {"key": "team", "operator": "NotIn", "values": ["ops"]},
        {"key": NAME, "operator": "Exists"},
        {"key": "job", "operator": "DoesNotExist"},
    ]
    prover.prove(
        served("two"),
        SERVICE,
        policy("all", {}),
        policy("app", {"matchLabels": {NAME: "app"}}),
        policy("some", {"matchExpressions": expressions}),
        policy("database", {"matchLabels": {NAME: "database"}}),
        policy("ops", {"matchExpressions": [{"key": "team", "operator": "In", "values": ["ops"]}]}),
        item("NetworkPolicy", "calico", "projectcalico.org/v3", spec={"selector": "app == 'x'"}),
    )
    names = ["all-app-prove-7", "app-app-prove-7", "some-app-prove-7"]
    assert prover.kubernetes.names("NetworkPolicy") == names
    copied = prover.kubernetes.get("NetworkPolicy", "app-app-prove-7")
    assert copied["spec"] == {"podSelector": {"matchLabels": {"longshore.dev/prove": "7"}}, "ingress": [{}]}
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "app-prove-7", "uid": "Pod-app-prove-7"}
    assert copied["metadata"]["ownerReferences"] == [owner]


def test_a_worker_is_not_asked_and_what_runs_another_image_is_not_started(prover: Prover) -> None:
    worker, admin = app("two"), served("two")
    worker["metadata"]["name"], admin["metadata"]["name"] = "worker", "admin"
    admin["spec"]["template"]["spec"]["containers"][0]["env"] = []  # `render` tells only `app` its revision
    redis = app("redis")
    redis["metadata"]["name"] = "redis"
    prover.prove(served("two"), SERVICE, worker, admin, redis)
    assert [pod["metadata"]["name"] for pod in prover.pods] == ["app-prove-7", "worker-prove-7", "admin-prove-7"]
    assert {entry[1] for entry in prover.kubernetes.proxied} == {"app-prove-7:5000"}
    assert prover.kubernetes.names("Pod") == []


def test_without_the_setting_nothing_is_started(prover: Prover) -> None:
    prover.site = site_of(prover.kubernetes, prover.kubectl, prover.folder)
    prover.prove()
    assert prover.pods == []
    assert prover.kubernetes.asked == []


def test_an_interrupted_run_leaves_no_pod_behind(prover: Prover) -> None:
    prover.site = site_of(prover.kubernetes, prover.kubectl, prover.folder, settings={"prove": 20.0})

    def interrupt() -> None:
        prover.wait_until_it_lives()
        prover.kubectl.cancellation._note(15, None)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted):
        prover.prove()
    thread.join()
    assert prover.kubernetes.names("Pod") == []


def test_a_run_that_lost_its_lease_stops_and_takes_its_pod_along(prover: Prover) -> None:
    prover.site = site_of(prover.kubernetes, prover.kubectl, prover.folder, settings={"prove": 20.0})

    def lost() -> None:
        if any(step.startswith("proving: 0 of") for step in prover.steps):
            raise StateUnknown("the lease is lost")

    with prover.kubectl.fenced(lost), pytest.raises(StateUnknown, match="lease is lost"):
        prover.prove()
    assert prover.kubernetes.names("Pod") == []


@pytest.mark.parametrize(("ports", "seconds"), [(True, 1), (False, 40)])
def test_nobody_waits_for_an_answer_and_a_worker_finishes_what_it_holds(
    prover: Prover, ports: bool, seconds: int
) -> None:
    deployment = served("two", terminationGracePeriodSeconds=40)
    if not ports:
        del deployment["spec"]["template"]["spec"]["containers"][0]["ports"]
    prover.prove(deployment, SERVICE)
    assert prover.pods[0]["spec"]["terminationGracePeriodSeconds"] == seconds
