"""A real API server with the policies of the CloudWatch add-on: what is behind a Service is changed, then refused."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.aws.auto_monitor import ADDON, AutoMonitor
from localcloud.aws.options import Options, configure
from localcloud.build.programs import KUBERNETES
from localcloud.node.spec import FLAGS
from longshore.settings.load import load, process_environment
from tests.integration.aws_process import ROOT, free_port

# Those of the node's API server that turn the policies on.
GATES = re.findall(r"--(?:feature-gates|runtime-config)=\S+", FLAGS["kube-apiserver"])
OFF = {"manager": {"applicationSignals": {"autoMonitor": {"monitorAllServices": False}}}}
GUARDED = """
apiVersion: v1
kind: Namespace
metadata: {name: guarded, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: guarded}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: guarded}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: pause
        image: "example/pause:1"
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""


class ApiServer:
    """An API server and its etcd in FOLDER, on loopback, without anything that would run a pod."""

    def __init__(self, kube: Path, folder: Path) -> None:
        self.kube, self.folder = kube, folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.kubeconfig, self.port = folder / "kubeconfig", free_port()
        self.endpoint = f"https://127.0.0.1:{self.port}"

    def start(self) -> None:
        etcd, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.run(
            "etcd",
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        key, public = self.folder / "sa.key", self.folder / "sa.pub"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text('right,admin,1,"system:masters"\n')
        self.run(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self.folder}/certs",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://issuer",
            f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.99.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            *GATES,
        )
        certificate = self.folder / "certs" / "apiserver.crt"
        self.until(certificate.exists)
        authority = base64.b64encode(certificate.read_bytes()).decode()
        cluster = {"server": self.endpoint, "certificate-authority-data": authority}
        config = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": "right"}}],
            "current-context": "here",
        }
        self.kubeconfig.write_text(json.dumps(config))
        self.until(lambda: self.kubectl("get", "--raw=/readyz").stdout == "ok")

    def run(self, part: str, *flags: str) -> None:
        with (self.folder / f"{part}.log").open("wb") as log:
            argv = [str(self.kube), part, *flags]
            self.processes.append(subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT))

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait(timeout=30)

    def kubectl(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        argv = [str(self.kube.with_name("kubectl")), f"--kubeconfig={self.kubeconfig}", *words]
        argv.append(f"--cache-dir={self.folder}/cache")
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=60, check=False)

    def until(self, condition: Any) -> None:
        end = time.monotonic() + 90
        while not condition():
            assert time.monotonic() < end, (self.folder / "kube-apiserver.log").read_text()[-2000:]
            time.sleep(0.2)

    def tried(self, thing: str) -> str:
        """Return what the API server would make of THING, or its refusal."""
        done = self.kubectl("apply", "--server-side", "--dry-run=server", "--output=json", "--filename=-", stdin=thing)
        return done.stdout or done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    settings = load(ROOT, process_environment())
    if not KUBERNETES.ready(settings):
        pytest.skip("Kubernetes is not compiled on this machine yet: `invoke local.up` does that once")
    new = ApiServer(KUBERNETES.path(settings, "kube"), tmp_path)
    try:
        new.start()
        (tmp_path / "cluster.json").write_text(
            json.dumps({"name": "here", "kubeconfig": str(new.kubeconfig), "endpoint": new.endpoint})
        )
        configure(Options(cluster=tmp_path / "cluster.json"))
        yield new
    finally:
        configure(Options())
        new.stop()


def pod_of(workload: str) -> str:
    """Return a pod as a ReplicaSet would create it from WORKLOAD, which the API server has answered with."""
    template = json.loads(workload)["spec"]["template"]
    metadata = {"name": "made", "namespace": "guarded", **template["metadata"]}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})


def test_the_cloudwatch_add_on_instruments_what_is_behind_a_service_which_restricted_refuses(server: ApiServer) -> None:
    web, other = WORKLOAD.replace("NAME", "web"), WORKLOAD.replace("NAME", "other")
    assert server.kubectl("apply", "--filename=-", stdin=GUARDED).returncode == 0
    monitor = AutoMonitor()
    monitor.ensure([{"addonName": ADDON}])
    server.until(lambda: "inject-java" in server.tried(web))
    assert "inject-java" not in server.tried(other), "no Service leads to it"
    refusal = server.tried(pod_of(server.tried(web)))
    assert 'violates PodSecurity "restricted:latest"' in refusal
    assert 'container "opentelemetry-auto-instrumentation-java" must set' in refusal
    assert json.loads(server.tried(pod_of(server.tried(other))))["kind"] == "Pod"

    monitor.ensure([{"addonName": ADDON, "configurationValues": json.dumps(OFF)}])
    server.until(lambda: "inject-java" not in server.tried(web))
    assert json.loads(server.tried(pod_of(server.tried(web))))["kind"] == "Pod"
    assert server.kubectl("get", "mutatingadmissionpolicies", "--output=name").stdout == ""
