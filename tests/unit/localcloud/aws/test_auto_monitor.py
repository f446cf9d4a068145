"""Which policies an add-on of the cluster comes to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.aws.auto_monitor import ADDON, LANGUAGES, policies


def kinds(addon: str = ADDON, **auto_monitor: Any) -> list[str]:
    values = {"manager": {"applicationSignals": {"autoMonitor": auto_monitor}}}
    return [item["kind"] for item in policies({"addonName": addon, "configurationValues": json.dumps(values)})]


BOTH = ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"] * 2


@pytest.mark.parametrize("values", [None, "", "{}", '{"manager": {}}', '{"containerLogs": {"enabled": true}}'])
def test_the_add_on_instruments_unless_it_is_told_not_to(values: str | None) -> None:
    addon = {"addonName": ADDON} if values is None else {"addonName": ADDON, "configurationValues": values}
    assert [item["kind"] for item in policies(addon)] == BOTH


def test_services_are_monitored_or_not_as_configured() -> None:
    assert kinds(monitorAllServices=True) == BOTH
    assert kinds(monitorAllServices=False) == []
    assert kinds("vpc-cni") == []


def test_a_workload_is_annotated_with_each_language_asked_for() -> None:
    policy, _, _, _ = policies({"addonName": ADDON})
    (mutation,) = policy["spec"]["mutations"]
    assert all(f"inject-{language}" in mutation["applyConfiguration"]["expression"] for language in LANGUAGES)
    values = {"manager": {"applicationSignals": {"autoMonitor": {"languages": ["python"]}}}}
    policy, _, _, _ = policies({"addonName": ADDON, "configurationValues": json.dumps(values)})
    (mutation,) = policy["spec"]["mutations"]
    assert "inject-java" not in mutation["applyConfiguration"]["expression"]


def test_workloads_that_do_not_change_are_left_alone_unless_pods_may_be_restarted() -> None:
    def conditions(**auto_monitor: Any) -> list[str]:
        values = {"manager": {"applicationSignals": {"autoMonitor": auto_monitor}}}
        policy, *_ = policies({"addonName": ADDON, "configurationValues": json.dumps(values)})
        return [condition["name"] for condition in policy["spec"]["matchConditions"]]

    assert conditions(restartPods=False) == ["selected", "restarted"]
    assert conditions(restartPods=True) == ["selected"]
