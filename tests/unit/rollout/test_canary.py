"""A share of a release takes traffic beside the old pods, which are not touched; if it does worse it is taken back."""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import Interrupted, Precondition, StateUnknown
from longshore.rollout import barepods, canary, meter, records
from longshore.rollout.attempt import ReleaseResult
from longshore.rollout.canary import Left, Worse
from longshore.rollout.manifest import Manifest
from longshore.rollout.release import return_to, run
from longshore.rollout.secrets import Secrets
from longshore.rollout.settled import settled
from longshore.rollout.shape import Target
from tests.unit.rollout.application import Behaviour
from tests.unit.rollout.exporter import exported
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import MIGRATION, SERVICE, Thing, app, changed, ended, hook, item, served, worker

LABEL = "longshore.dev/canary"


class Shop:
    """Four pods of release one, beside which others are canaries."""

    def __init__(self, kubernetes: Kubernetes, kubectl: Kubectl, folder: Path) -> None:
        self.kubernetes, self.kubectl, self.folder = kubernetes, kubectl, folder
        self.steps: list[str] = []
        self.pods: list[Thing] = []  # canaries, as they were started
        self.set(bake=0)
        self.release("one")
        self.set()
        self.kubernetes.asked.clear()
        kubernetes.on_apply = lambda thing: self.pods.append(thing) if thing["kind"] == "Pod" else None

    def set(self, **settings: Any) -> None:
        chosen = {"canary": "25%", "bake": 1.0, **settings}
        self.site = site_of(self.kubernetes, self.kubectl, self.folder, settings=chosen)

    def release(self, revision: str, *more: Thing, **hooks: Any) -> ReleaseResult:
        deployment = served(revision)
        deployment["spec"]["replicas"] = 4
        deployment["metadata"]["annotations"] = app(revision)["metadata"]["annotations"]
        manifest = Manifest(rolled_out=(deployment, SERVICE, *more), mark=revision, **hooks)
        digest = f"sha256:{revision}"
        target = Target(
            repository="registry/app",
            digest=digest,
            revision=revision,
            namespace="shop",
            node_port=30080,
            overlay="local",
        )
        return run(self.site, manifest, target, Secrets(), lambda text, *_: self.steps.append(text))

    def worse(self, *more: Thing, **hooks: Any) -> Worse:
        """Return why release two was taken back, once nothing of it is left."""
        before = copy.deepcopy(self.kubernetes.get("Deployment"))
        with pytest.raises(Worse) as failed:
            self.release("two", *more, **hooks)
        assert failed.value.exit_code == 6
        assert failed.value.sentence.startswith("the canary was taken back: ")
        assert failed.value.sentence.endswith("; what was serving is unchanged")
        assert self.left() == []
        assert self.kubernetes.get("Deployment") == before
        release = records.history(self.site.cluster, self.kubectl)[0]
        assert (release.verdict, release.cause) == ("rolled back", failed.value.cause)
        return failed.value

    def left(self) -> list[str]:
        return [name for name in self.kubernetes.names("Pod") if "canary" in name]

    def while_it_serves(self, act: Callable[[], object]) -> threading.Thread:
        def wait() -> None:
            end = time.monotonic() + 10
            while not any(" of 1 s, " in step or " of 20 s, " in step for step in self.steps):
                if time.monotonic() > end:
                    return
                time.sleep(0.02)
            act()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread


@pytest.fixture
def shop(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(meter, "RATE", 150.0)
    monkeypatch.setattr(canary, "EVERY", 0.1)
    kubernetes.behaves = {"one": Behaviour(), "two": Behaviour()}
    return Shop(kubernetes, kubectl, tmp_path)


def test_a_good_canary_is_followed_by_the_rest_and_its_figures_are_said(shop: Shop) -> None:
    result = shop.release("two")
    said = r"; canary of 1 beside 4 pods of app for 1 s \(its (\d+) requests, 0\.0% failed, \d+ ms on average, "
    found = re.search(said + r"old pods (\d+) requests, 0\.0% failed, \d+ ms on average\)", result.note)
    assert found, result.note
    assert int(found[1]) >= 50
    assert int(found[2]) >= 50
    assert shop.kubernetes.get("Deployment")["metadata"]["annotations"]["longshore.dev/manifest"] == "two"
    assert shop.left() == []
    order = [path.partition("?")[0].split("/")[-2:] for _, path in shop.kubernetes.asked if "dryRun" not in path]
    pods = [what for what in order if what[0] in ("pods", "deployments")]
    assert pods == [["pods", "app-canary-2-1"]] * 2 + [["deployments", "app"]]


def test_its_pods_are_the_deployments_as_services_and_policies_see_them(shop: Shop) -> None:
    shop.release("two")
    (pod,) = shop.pods
    template = served("two")["spec"]["template"]
    assert pod["metadata"]["labels"] == template["metadata"]["labels"] | {LABEL: "2"}
    assert "ownerReferences" not in pod["metadata"]
    assert pod["spec"] == template["spec"] | {"activeDeadlineSeconds": pod["spec"]["activeDeadlineSeconds"]}
    assert 20 < pod["spec"]["activeDeadlineSeconds"] < 120, "a canary that a killed run leaves behind ends by itself"


def test_steps_add_pods_each_for_its_time(shop: Shop) -> None:
    shop.set(canary=["1%", "26%", "100%"], bake=0.3)
    shop.release("two")
    assert [pod["metadata"]["name"] for pod in shop.pods] == [f"app-canary-2-{number}" for number in range(1, 5)]
    steps = [step for step in shop.steps if step.startswith("canary of ") and " s, " in step]
    assert list(dict.fromkeys(step.partition(":")[0] for step in steps)) == [
        "canary of 1%",
        "canary of 26%",
        "canary of 100%",
    ]
    assert "2 of 2 replicas ready" in "".join(step for step in steps if "26%" in step)


def test_errors_that_it_answers_with_are_told_from_the_old_pods(shop: Shop) -> None:
    shop.kubernetes.behaves["two"].fails = 5
    failed = shop.worse()
    assert re.search(
        r"[12]\d\.\d% of its \d+ requests failed, and 0\.0% of the same requests at the old pods", failed.cause
    )
    assert (shop.site.report / "evidence" / "release-2" / "objects.json").exists()


def test_what_old_pods_do_as_well_is_no_fault_of_the_canary(shop: Shop) -> None:
    for behaviour in shop.kubernetes.behaves.values():
        behaviour.fails, behaviour.seconds = 5, 0.01
    assert "% failed" in shop.release("two").canary


def test_one_that_takes_twice_as_long_is_taken_back(shop: Shop) -> None:
    shop.set(bake=6.0)
    shop.kubernetes.behaves["one"].seconds, shop.kubernetes.behaves["two"].seconds = 0.03, 0.07
    assert "times as long)" in shop.worse().cause


def counting(fails: int = 0, seconds: float = 0.1) -> Callable[[], str]:
    """What a pod says that answered sixty more requests whenever it is asked, beside many health checks."""
    counted: dict[tuple[str, str], list[float]] = {("/", "200"): [], ("/", "500"): [], ("/livez", "500"): [0.0] * 500}

    def metrics() -> str:
        counted["/", "200"] += [seconds] * (60 - fails)
        counted["/", "500"] += [seconds] * fails
        return exported(counted)

    return metrics


def test_a_pods_own_metrics_count_what_users_got(shop: Shop) -> None:
    shop.kubernetes.behaves["one"].metrics = counting()
    shop.kubernetes.behaves["two"].metrics = counting(fails=3)
    assert "5.0% of its " in shop.worse().cause


def test_metrics_tell_that_users_wait_longer(shop: Shop) -> None:
    shop.kubernetes.behaves["one"].metrics = counting()
    shop.kubernetes.behaves["two"].metrics = counting(seconds=0.2)
    assert "requests took 200 ms on average, and the same requests 100 ms" in shop.worse().cause


def test_metrics_of_one_side_alone_are_no_comparison(shop: Shop) -> None:
    shop.kubernetes.behaves["two"].metrics = counting(fails=3)
    assert "0.0% failed" in shop.release("two").canary


def test_a_counter_that_starts_again_is_added_and_nothing_is_negative(shop: Shop) -> None:
    read = meter.Meter(shop.site, meter.Api(shop.site.cluster, shop.kubectl), 0, ())
    for count in (10, 30, 5):
        read._take("app-1", {"GET /": canary.compare.Stat(requests=count)})
    assert read.tally(counted=True)["GET /"].requests == 25


def test_restarts_beyond_those_of_old_pods_are_worse(shop: Shop) -> None:
    shop.set(bake=20.0)
    state = {"restartCount": 1, "lastState": ended(4)}

    def restart() -> None:
        pod = shop.kubernetes.get("Pod", "app-canary-2-1")
        shop.kubernetes.put(changed(pod, ready=True, **state))

    thread = shop.while_it_serves(restart)
    cause = shop.worse().cause
    thread.join()
    assert "it was restarted 1 times, 0 times the 4 old pods; " in cause
    assert "container app exited with code 4" in cause


def test_one_that_is_not_ready_for_long_is_worse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary.bake, "SETTLE", 0.5)
    shop.set(bake=20.0)
    thread = shop.while_it_serves(
        lambda: shop.kubernetes.put(changed(shop.kubernetes.get("Pod", "app-canary-2-1"), ready=False))
    )
    assert "0 of 1 replicas ready" in shop.worse().cause
    thread.join()


def test_one_that_does_not_start_has_changed_nothing(shop: Shop) -> None:
    shop.kubernetes.crashes = {"two"}
    failed = shop.worse(item("ConfigMap", "new"))
    assert "exited with code 3" in failed.cause
    assert "new" not in shop.kubernetes.names("ConfigMap")


def test_without_room_for_a_pod_nothing_is_changed(shop: Shop) -> None:
    shop.kubernetes.full = 'pods "app-canary" is forbidden: exceeded quota: small, used: pods=4, limited: pods=4'
    with pytest.raises(
        Precondition, match=r"there is no room for a surge pod: .*exceeded quota.*; nothing was changed"
    ):
        shop.release("two", before=(hook(),))
    assert [path for _, path in shop.kubernetes.asked if "dryRun" not in path and "/leases" not in path] == []
    assert len(records.history(shop.site.cluster, shop.kubectl)) == 1


def test_other_refusals_are_left_to_the_pod_itself(shop: Shop) -> None:
    shop.kubernetes.full = 'pods "x" is forbidden: error looking up service account shop/app'
    assert "its pod cannot be created: " in shop.worse().cause


def test_workloads_without_a_canary_are_named(shop: Shop) -> None:
    database = worker("two", "database", "StatefulSet", updateStrategy={})
    behind = worker("two", "behind")
    behind["spec"]["template"]["metadata"]["labels"] = {"app": "behind"}
    shop.kubernetes.apply(worker("one", "behind"))
    fresh = worker("two", "fresh")
    fresh["spec"]["template"]["metadata"]["labels"] = served("two")["spec"]["template"]["metadata"]["labels"]
    another = worker("nine", "queue", "StatefulSet", updateStrategy={})  # of another image
    said = shop.release("two", database, another, behind, fresh).canary.rpartition("; ")[2]
    without = ["statefulset database", "deployment behind (no Service leads to it)", "deployment fresh (no old pod)"]
    assert said == f"no canary of {', '.join(without)}"
    assert len(shop.pods) == 1


def test_the_first_release_a_rollback_and_an_environment_without_it_have_none(shop: Shop) -> None:
    shop.set(canary="off")
    assert shop.release("two").canary == ""
    shop.set()
    return_to(shop.site, records.history(shop.site.cluster, shop.kubectl)[1], lambda *_: None)
    assert shop.pods == []


def test_status_tells_of_one_that_is_under_way(shop: Shop) -> None:
    api = meter.Api(shop.site.cluster, shop.kubectl)
    assert barepods.under_way(api) == ""
    pod = item("Pod", "app-canary-2-1", status={"phase": "Running"}, spec={"activeDeadlineSeconds": 600})
    pod["metadata"] |= {"labels": {LABEL: "2"}, "creationTimestamp": "2026-01-01T10:00:00Z"}
    shop.kubernetes.put(pod)
    said = barepods.under_way(api)
    assert said.startswith("release 2, app-canary-2-1 since 10:00:00 UTC; ")
    assert said.endswith("or it ends by itself at 10:10 UTC")
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T10:01:00Z"
    assert barepods.under_way(api) == ""


def test_an_interrupted_run_takes_it_back(shop: Shop) -> None:
    shop.set(bake=20.0)
    thread = shop.while_it_serves(lambda: shop.kubectl.cancellation._note(15, None))
    with pytest.raises(Interrupted):
        shop.release("two")
    thread.join()
    assert shop.pods
    assert shop.left() == []


def test_a_run_that_lost_its_lease_takes_it_back(shop: Shop) -> None:
    def taken() -> None:
        lease = copy.deepcopy(shop.kubernetes.get("Lease", "longshore-release"))
        lease["spec"]["holderIdentity"] = "another"
        shop.kubernetes.put(lease)

    shop.set(bake=20.0)
    thread = shop.while_it_serves(taken)
    with pytest.raises(StateUnknown, match="is now held by another"):
        shop.release("two")
    thread.join()
    assert shop.left() == []


def test_what_a_killed_run_left_is_deleted_by_the_next_one_which_converges(shop: Shop) -> None:
    left = item("Pod", "app-canary-2-1")
    left["metadata"]["labels"] = {LABEL: "2"}
    shop.kubernetes.apply({**left, "spec": app("two")["spec"]["template"]["spec"]})
    shop.release("two")
    assert shop.left() == []
    assert shop.steps.index("deleting the canary that an earlier run left behind") < len(shop.steps) - 1


def test_what_a_killed_run_left_goes_even_where_the_next_release_is_refused(shop: Shop) -> None:
    left = item("Pod", "app-canary-2-1")
    left["metadata"]["labels"] = {LABEL: "2"}
    shop.kubernetes.apply({**left, "spec": app("two")["spec"]["template"]["spec"]})
    shop.kubernetes.full = 'pods "app-canary" is forbidden: exceeded quota: small'
    with pytest.raises(Precondition):
        shop.release("two")
    assert shop.left() == []


def test_there_is_something_to_do_while_a_canary_is_left(shop: Shop) -> None:
    target = records.history(shop.site.cluster, shop.kubectl)[0]
    manifest = Manifest.parse(target.manifest, mark="one")
    assert settled(shop.site, manifest, target)  # type: ignore[arg-type]
    left = item("Pod", "app-canary-2-1")
    left["metadata"]["labels"] = {LABEL: "2"}
    shop.kubernetes.apply({**left, "spec": app("two")["spec"]["template"]["spec"]})
    assert settled(shop.site, manifest, target) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "why"),
    [({"strategy": {"type": "Recreate"}}, "its strategy is Recreate"), ({"paused": True}, "it is paused")],
)
def test_one_that_never_runs_beside_its_successor_gets_none(shop: Shop, spec: Thing, why: str) -> None:
    alone = worker("two", "alone", **spec)
    alone["spec"]["template"]["metadata"]["labels"] = served("two")["spec"]["template"]["metadata"]["labels"]
    shop.kubernetes.apply(worker("one", "alone"))
    assert shop.release("two", alone).canary.endswith(f"; no canary of deployment alone ({why})")


def test_one_that_cannot_be_deleted_is_a_state_that_somebody_has_to_look_at(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary, "DRAIN", 0.2)
    shop.kubernetes.behaves["two"].fails = 5
    shop.kubernetes.stuck = True
    with pytest.raises(Left, match=r"the canary may still take requests: .*% of its") as failed:
        shop.release("two")
    assert failed.value.exit_code == 7
    assert records.history(shop.site.cluster, shop.kubectl)[0].verdict == "failed"


def test_after_an_irreversible_migration_a_person_must_look(shop: Shop) -> None:
    shop.kubernetes.behaves["two"].fails = 5
    with pytest.raises(StateUnknown, match="the canary was taken back after an irreversible migration: "):
        shop.release("two", before=(MIGRATION,))
    assert shop.left() == []
