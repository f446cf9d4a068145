"""Many workloads, or many replicas, are watched with bounded memory and without a request for each pod."""

from __future__ import annotations

import datetime
import json
import tracemalloc

import pytest

from longshore.commands.kubectl import Cluster
from longshore.process.runner import Runner
from longshore.rollout.verdict import Outcome, Workload
from longshore.rollout.watch import Watcher
from longshore.settings.rollout import Patience
from tests.e2e.project import Project

TINY = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{many: "true"}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      securityContext: {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: tiny
          image: {image}
          command: [sleep, "3600"]
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""
MEMORY = 32 << 20  # bytes that watching may use


@pytest.mark.slow
@pytest.mark.parametrize(("workloads", "replicas"), [(50, 1), (1, 100)])
def test_many_are_watched_as_cheaply_as_few(
    project: Project, workloads: int, replicas: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    digest = project.deploy("--skip-checks").data["digest"]
    repository = project.invoke("infra.output", "-e", project.name, "--json").data["repository_url"]
    names = [f"tiny-{number}" for number in range(workloads)]
    image = f"{repository}@{digest}"
    file = tmp_path_factory.mktemp("many") / "many.yaml"
    file.write_text("---\n".join(TINY.format(name=name, replicas=replicas, image=image) for name in names))
    config = project.folder / ".longshore" / "environments" / project.name / "kubeconfig"
    cluster = Cluster(kubectl="", kubeconfig=config, context=project.name, namespace="shop")
    released = [Workload(kind="Deployment", name=name, images={"tiny": image}) for name in names]
    began = datetime.datetime.now(datetime.UTC)
    project.admin("apply", "-f", str(file))
    try:
        tracemalloc.start()
        with Watcher(cluster, Runner(project.environ), released, Patience(schedule=300, config=60)) as watcher:
            verdict = watcher.until_verdict(400, lambda *_: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        project.admin("delete", "deployments", "-l", "many=true", "--wait=true")
    assert verdict.outcome is Outcome.GOOD, verdict.sentence
    assert verdict.ready == workloads * replicas
    # Besides, it asks once a second whether the server answers. The log has a watch twice: when it begins and ends.
    asked = {
        event["auditID"]
        for event in map(json.loads, (project.state() / "logs" / "audit.log").read_text().splitlines())
        if event.get("userAgent") == "longshore"
        and datetime.datetime.fromisoformat(event["requestReceivedTimestamp"]) >= began
        and "/namespaces/" in event["requestURI"]
    }
    took = (datetime.datetime.now(datetime.UTC) - began).total_seconds()
    print(f"{workloads} of {replicas}: {len(asked)} requests in {took:.0f} s, {peak / 1e6:.1f} MB at most")
    assert peak < MEMORY
    # A list and a stream for each of four kinds; streams are renewed every 30 s.
    assert len(asked) <= 8 + 4 * (took // 30 + 1)
