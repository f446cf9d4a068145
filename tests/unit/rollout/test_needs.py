"""What the pods of hooks name is found wherever a pod may name it."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.rollout import workloads
from longshore.rollout.needs import needed
from tests.unit.rollout.things import Thing, app, hook, item

CONFIG, SECRET, CLAIM = (item(kind, "x") for kind in ("ConfigMap", "Secret", "PersistentVolumeClaim"))
ACCOUNT = item("ServiceAccount", "x")
OBJECTS = [CONFIG, SECRET, CLAIM, ACCOUNT, item("ConfigMap", "other"), item("Service", "x"), app("x")]


def migration(container: Thing | None = None, **spec: Any) -> Thing:
    job = hook()
    job["spec"]["template"]["spec"] |= spec
    job["spec"]["template"]["spec"]["containers"][0] |= container or {}
    return job


PLACES = {
    "account": (migration(serviceAccountName="x"), ACCOUNT),
    "variables from a ConfigMap": (migration({"envFrom": [{"configMapRef": {"name": "x"}}]}), CONFIG),
    "variables from a Secret": (migration({"envFrom": [{"secretRef": {"name": "x"}}]}), SECRET),
    "a variable from a ConfigMap": (migration({"env": [{"valueFrom": {"configMapKeyRef": {"name": "x"}}}]}), CONFIG),
    "a variable from a Secret": (migration({"env": [{"valueFrom": {"secretKeyRef": {"name": "x"}}}]}), SECRET),
    "a volume of a ConfigMap": (migration(volumes=[{"name": "v", "configMap": {"name": "x"}}]), CONFIG),
    "a volume of a Secret": (migration(volumes=[{"name": "v", "secret": {"secretName": "x"}}]), SECRET),
    "a projected volume": (
        migration(volumes=[{"name": "v", "projected": {"sources": [{"secret": {"name": "x"}}]}}]),
        SECRET,
    ),
    "a claim": (migration(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]), CLAIM),
    "a registry's password": (migration(imagePullSecrets=[{"name": "x"}]), SECRET),
    "an init container": (migration(initContainers=[{"name": "x", "envFrom": [{"secretRef": {"name": "x"}}]}]), SECRET),
}


@pytest.mark.parametrize(("job", "expected"), PLACES.values(), ids=PLACES)
def test_what_a_hook_names_is_needed(job: Thing, expected: Thing) -> None:
    assert needed([job], OBJECTS) == [expected]


def test_an_account_may_need_more() -> None:
    account = {**ACCOUNT, "imagePullSecrets": [{"name": "x"}]}
    assert needed([migration(serviceAccountName="x")], [SECRET, account]) == [SECRET, account]


def test_without_hooks_nothing_is_needed() -> None:
    assert needed([], OBJECTS) == []
    assert needed([hook()], OBJECTS) == []


def test_a_network_policy_for_the_hooks_pods_comes_before_them_and_one_for_every_pod_does_not() -> None:
    job = hook()
    job["spec"]["template"]["metadata"] = {"labels": {"workload": "migrate"}}

    def policy(name: str, selector: Thing) -> Thing:
        return item("NetworkPolicy", name, "networking.k8s.io/v1", spec={"podSelector": selector})

    own = policy("own", {"matchExpressions": [{"key": "workload", "operator": "Exists"}]})
    everybodys, others = policy("everybodys", {}), policy("others", {"matchLabels": {"app": "app"}})
    assert needed([job], [everybodys, own, others]) == [own]
    assert needed([hook()], [everybodys, own, others]) == []


def test_what_lets_workloads_in_comes_before_those_that_are_hooks() -> None:
    """Else a migration could not reach a database in the cluster until the rollout, which waits for it."""
    job = hook()
    job["spec"]["template"]["metadata"] = {"labels": {workloads.LABEL: "app-migrate"}}

    def policy(name: str, *peers: Thing) -> Thing:
        spec = {"podSelector": {"matchLabels": {"app": "database"}}, "ingress": [{}, {"from": list(peers)}]}
        return item("NetworkPolicy", name, "networking.k8s.io/v1", spec=spec)

    web = {"podSelector": {"matchLabels": {"app": "app"}}}
    before, after = policy("lets", web, {"podSelector": workloads.ANY}), policy("others", web, {"ipBlock": {}})
    assert needed([job], [after, before]) == [before]
    assert needed([hook()], [after, before]) == []
