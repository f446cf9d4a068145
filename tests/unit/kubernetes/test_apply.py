"""Objects are merged by the server itself, over one connection; what it refuses is said whole."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.commands.kubectl import Cluster
from longshore.errors import ToolMissing
from longshore.kubernetes.api import Api
from longshore.kubernetes.apply import NotApplied, apply
from longshore.process.runner import Runner
from tests.unit.api_server import Site


def thing(kind: str, group: str = "v1", namespace: str = "shop") -> dict[str, Any]:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": "app", "namespace": namespace}}


def status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "message": message}


def test_objects_are_sent_in_their_order_as_our_fields(site: Site, cluster: Cluster) -> None:
    site.answers = [{}]
    things = [thing("ServiceAccount"), thing("Deployment", "apps/v1")]
    apply(cluster, Runner({}), things)
    options = "?fieldManager=longshore&fieldValidation=Strict&force=true"
    assert site.asked == [
        ("PATCH", f"/api/v1/namespaces/shop/serviceaccounts/app{options}", things[0]),
        ("PATCH", f"/apis/apps/v1/namespaces/shop/deployments/app{options}", things[1]),
    ]


def test_a_dry_run_takes_no_field_from_others_unless_told(site: Site, cluster: Cluster) -> None:
    site.answers = [{}]
    apply(cluster, Runner({}), [thing("Service")], dry_run=True, force=False)
    assert site.asked[0][1].endswith("force=false&dryRun=All")


def test_every_refusal_is_told_whole(site: Site, cluster: Cluster) -> None:
    site.answers = [status(409, "Apply failed" + " at length" * 100), {}, status(422, "is invalid")]
    with pytest.raises(NotApplied) as refused:
        apply(cluster, Runner({}), [thing("Service"), thing("Secret"), thing("ConfigMap")])
    first, second = refused.value.detail.splitlines()
    assert first.startswith("Service app: Apply failed at length")
    assert len(first) > 1000
    assert second == "ConfigMap app: is invalid"


@pytest.mark.parametrize("code", [401, 429, 500, 503])
def test_a_server_that_is_not_ready_is_left_to_kubectl(site: Site, cluster: Cluster, code: int) -> None:
    site.answers = [status(code, "later")]
    with pytest.raises(ToolMissing, match="no-such-kubectl"):
        apply(cluster, Runner({}), [thing("Service")])


@pytest.mark.parametrize(
    "unknown", [thing("Gateway", "gateway.networking.k8s.io/v1"), thing("Service", namespace="elsewhere")]
)
def test_what_is_unknown_here_is_left_to_kubectl_whole(site: Site, cluster: Cluster, unknown: dict[str, Any]) -> None:
    with pytest.raises(ToolMissing):
        apply(cluster, Runner({}), [thing("Service"), unknown])
    assert site.asked == []


def test_a_first_release_is_left_to_kubectl_which_takes_over_what_was_applied_by_hand(
    site: Site, cluster: Cluster
) -> None:
    with pytest.raises(ToolMissing):
        apply(cluster, Runner({}), [thing("Service")], first=True)
    assert site.asked == []


def test_who_lost_the_lease_changes_nothing(site: Site, cluster: Cluster) -> None:
    class Lost(Exception):
        pass

    def lost() -> None:
        raise Lost

    site.answers = [{}]
    runner = Runner({})
    with runner.fenced(lost), pytest.raises(Lost):
        apply(cluster, runner, [thing("Service")])
    assert site.asked == []
    with runner.fenced(lost):
        apply(cluster, runner, [thing("Service")], dry_run=True)
    assert len(site.asked) == 1


def test_objects_of_a_list_have_their_kind(site: Site, cluster: Cluster) -> None:
    page = {"apiVersion": "batch/v1", "kind": "JobList", "metadata": {}, "items": [{"metadata": {"name": "a"}}]}
    site.answers = [page]
    (found,) = Api(cluster, Runner({})).items("/apis/batch/v1/namespaces/shop/jobs", "hook=migrate")
    assert (found["apiVersion"], found["kind"], found["metadata"]["name"]) == ("batch/v1", "Job", "a")
    assert site.asked[0][1].endswith("jobs?limit=500&labelSelector=hook%3Dmigrate")
