"""An application with workers, a cron job and Jobs, and a queue that somebody wrote a Deployment for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from tests.e2e.apps import Apps
from tests.e2e.conftest import FIRST_START
from tests.e2e.project import Ran

# By hand, of the same image: what the application's own manifests may hold beside the web service. Workloads get the
# policies of the web service.
QUEUE = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: queue
spec:
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/name: queue}}
  template:
    metadata: {labels: {app.kubernetes.io/name: queue}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 10001, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: queue
          image: app
          command: [python, queue_server.py]
          readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
---
apiVersion: v1
kind: Service
metadata:
  name: queue
spec:
  selector: {app.kubernetes.io/name: queue}
  ports: [{port: 6379}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: queue}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: queue}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app.kubernetes.io/name: site}}}], ports: [{port: 6379}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: site-queue}
spec:
  podSelector: {matchLabels: {app.kubernetes.io/name: site}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app.kubernetes.io/name: queue}}}], ports: [{port: 6379}]}]
"""
# The worker's command is the Procfile's.
WORKER = """
[workloads.worker]
kind = "worker"
replicas = 2
drain = 45
"""
OTHERS = """
[workloads.tick]
kind = "cron"
schedule = "59 23 31 12 *"
command = ["sh", "-c", "WHO=cron- flask mark"]

[workloads.migrate]
kind = "job"
command = ["python", "-c", "print('migrated')"]

[workloads.seed]
kind = "job"
when = "after"
command = ["sh", "-c", "WHO=seed- flask mark"]
"""
CRASHES = WORKER + """command = ["sh", "-c", "echo no such queue; exit 3"]\n"""


class Queued(Apps):
    """The application with workers, which is asked for what they have done."""

    @classmethod
    def of(cls, apps: Apps) -> Self:
        """Return the checkout of APPS for that application; no other one is deployed from it afterwards."""
        made = cls.__new__(cls)
        vars(made).update(vars(apps))
        return made

    def release_of(self, note: str, more: str = WORKER + OTHERS, app: str = "workers") -> Ran:
        """Deploy a commit of APP that differs in NOTE, which is no part of the image; it may fail."""
        self.become(app, edit={"k8s/note.txt": note}, more=more)
        return self.ship(deadline=FIRST_START)

    def order(self, first: int, count: int, seconds: int) -> None:
        for number in range(first, first + count):
            assert self.get(f"/add/{number}/{seconds}")[2] == "added"

    def told(self) -> dict[str, list[str]]:
        status, _, body = self.get("/told")
        assert status == 200, body
        return json.loads(body)  # type: ignore[no-any-return]

    def until(self, holds: Callable[[dict[str, list[str]]], bool], seconds: float = 60) -> dict[str, list[str]]:
        end = time.monotonic() + seconds
        while not holds(told := self.told()):
            assert time.monotonic() < end, told
            time.sleep(0.3)
        return told

    def pods(self, label: str) -> list[dict[str, Any]]:
        return list(self.kubectl("get", "pods", "-l", label)["items"])


WORKERS = "longshore.dev/workload=site-worker"


@pytest.fixture(scope="module")
def queued(apps: Apps) -> Iterator[Queued]:
    made = Queued.of(apps)
    made.add("queue.yaml", QUEUE)
    # Without a DNS server in the cluster, variables say where a Service is.
    made.edit("k8s/base/deployment.yaml", "enableServiceLinks: false", "enableServiceLinks: true")
    first = made.release_of("first")
    assert first.exit_code == 0, first.err
    yield made
    apps.invoke("local.down", "-e", apps.name)  # beside what comes next it would cost a tenth of a core


def test_a_second_deploy_has_nothing_to_do_and_each_workload_runs(queued: Queued) -> None:
    again = queued.ship()
    assert (again.exit_code, again.data["changed"]) == (0, False), again.err
    names = {each["metadata"]["name"]: each for each in queued.kubectl("get", "deployments")["items"]}
    assert names.keys() == {"site", "site-worker", "queue"}
    assert names["site-worker"]["status"]["availableReplicas"] == 2
    images = {name: each["spec"]["template"]["spec"]["containers"][0]["image"] for name, each in names.items()}
    assert len(set(images.values())) == 1, "one image, by its digest"
    (slices,) = queued.kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=site")["items"]
    reached = {each["targetRef"]["name"] for each in slices["endpoints"]}
    assert reached == {pod["metadata"]["name"] for pod in queued.pods("app.kubernetes.io/name=site")}
    queued.admin("create", "job", "--from=cronjob/site-tick", "by-hand")
    marks = queued.until(lambda told: len(told["marks"]) == 2)["marks"]
    assert [mark.partition("-")[0] for mark in marks] == ["seed", "cron"], "the seed ran once, in the one release"


def test_a_rollout_while_jobs_run_loses_none(queued: Queued) -> None:
    old = {pod["metadata"]["name"] for pod in queued.pods(WORKERS)}
    queued.order(100, 6, 4)
    queued.until(lambda told: "100" in told["begun"])
    released = queued.release_of("while jobs run")
    assert (released.exit_code, released.data["changed"]) == (0, True), released.err
    jobs = [str(number) for number in range(100, 106)]
    told = queued.until(lambda told: set(jobs) <= set(told["done"]))
    assert sorted(told["done"]) == jobs, "each is done, and once"
    assert sorted(told["begun"]) == jobs, "nobody was killed over one"
    assert not old & {pod["metadata"]["name"] for pod in queued.pods(WORKERS)}


def test_a_worker_that_is_told_to_end_finishes_its_job(queued: Queued) -> None:
    queued.order(200, 2, 8)
    queued.until(lambda told: {"200", "201"} <= set(told["begun"]))
    queued.admin("delete", "pods", "-l", WORKERS, "--wait=false")
    told = queued.until(lambda told: {"200", "201"} <= set(told["done"]))
    assert [told[name].count("200") + told[name].count("201") for name in ("begun", "done")] == [2, 2]


def test_a_worker_that_crashes_is_a_verdict_and_the_old_ones_work_on(queued: Queued) -> None:
    good = queued.releases()[0]
    began = time.monotonic()
    failed = queued.release_of("crashes", CRASHES + OTHERS)
    print(f"told and rolled back in {time.monotonic() - began:.1f} s")
    assert failed.exit_code == 6, failed.err
    assert "keeps crashing: container" in failed.data["error"]
    assert "exited with code 3" in failed.data["error"]
    assert "site-worker" in failed.data["error"]
    assert "no such queue" in failed.err
    assert json.loads(queued.get("/.longshore/version")[2])["revision"] == good["revision"]
    queued.order(300, 1, 0)
    queued.until(lambda told: "300" in told["done"])


@pytest.mark.slow
def test_a_worker_that_is_killed_over_a_job_has_it_done_by_another(queued: Queued) -> None:
    """The queue gives it out again: that takes Celery's own time, up to two minutes."""
    queued.order(400, 1, 10)
    queued.until(lambda told: "400" in told["begun"])
    queued.admin("delete", "pods", "-l", WORKERS, "--grace-period=0", "--force")
    told = queued.until(lambda told: "400" in told["done"], seconds=240)
    assert (told["begun"].count("400"), told["done"].count("400")) == (2, 1)


@pytest.mark.slow
def test_what_is_taken_out_of_the_settings_leaves_the_cluster(queued: Queued) -> None:
    released = queued.release_of("no workers", '[workloads.worker]\nkind = "worker"\nreplicas = 0\n')
    assert released.exit_code == 0, released.err
    kinds = "deployments,cronjobs,networkpolicies,poddisruptionbudgets"
    names = {each["metadata"]["name"] for each in queued.kubectl("get", kinds)["items"]}
    assert not {name for name in names if "worker" in name or "tick" in name}, names


@pytest.mark.slow
def test_a_rollout_loses_no_job_of_rq_with_a_real_redis(queued: Queued) -> None:
    first = queued.release_of("rq", WORKER, app="rq")
    assert first.exit_code == 0, first.err
    queued.order(500, 6, 4)
    queued.until(lambda told: "500" in told["begun"])
    old = {pod["metadata"]["name"] for pod in queued.pods(WORKERS)}
    queued.admin("delete", "pods", "-l", WORKERS, "--wait=false")
    jobs = [str(number) for number in range(500, 506)]
    told = queued.until(lambda told: set(jobs) <= set(told["done"]))
    assert (sorted(told["done"]), sorted(told["begun"])) == (jobs, jobs), "each is done, and once"
    queued.order(510, 6, 4)
    released = queued.release_of("rq while jobs run", WORKER, app="rq")
    assert (released.exit_code, released.data["changed"]) == (0, True), released.err
    jobs += [str(number) for number in range(510, 516)]
    told = queued.until(lambda told: set(jobs) <= set(told["done"]))
    assert (sorted(told["done"]), sorted(told["begun"])) == (jobs, jobs), "each is done, and once"
    assert not old & {pod["metadata"]["name"] for pod in queued.pods(WORKERS)}
