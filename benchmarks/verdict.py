"""How soon a bad release is noticed, beside kubectl and Helm: `python -m benchmarks.verdict`, while `local` is up.

Each starts from a good release. kubectl and Helm get a namespace of their own, and a deadline of one minute instead
of their five.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks import peers
from longshore.process.runner import Runner
from longshore.settings.load import load, process_environment
from longshore.snapshot.take import take
from longshore.tasks.world import World

DEADLINE = 60  # seconds
OTHERS = "benchmark"  # the namespace of kubectl and Helm
MANIFEST = Path("k8s/base/deployment.yaml")
KINDS = ("ServiceAccount", "Service", "Deployment")
CRASH = ["python", "-c", "print('the vault is locked'); raise SystemExit(3)"]
Object = dict[str, Any]


def crash(deployment: Object, _: str) -> None:
    """Have the service exit at start."""
    deployment["spec"]["template"]["spec"]["containers"][0]["command"] = CRASH


def missing(deployment: Object, repository: str) -> None:
    """Add a container whose image was never pushed."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    containers.append(
        {"name": "side", "image": f"{repository}:never-pushed", "securityContext": containers[0]["securityContext"]}
    )


FAULTS = {"crash at start": (crash, "the vault is locked"), "image tag missing": (missing, "not found")}


class Site:
    """The environment `local`, and a copy of its workload for kubectl and Helm to deploy."""

    def __init__(self, folder: Path) -> None:
        environ = process_environment()
        settings, runner = load(Path.cwd(), environ), Runner(environ)
        world = World(settings, "local", runner, lambda: take(settings, runner))
        outputs, image = world.infra.outputs(), world.image.remembered()
        assert world.local
        assert image, "nothing is deployed; run `invoke deploy` first"
        self.folder = folder
        self.kubectl = list(world.cluster(outputs).prefix)
        self.environ = os.environ | {"KUBECONFIG": str(world.local.layout.kubeconfig)}
        self.repository = outputs.repository_url
        self.helm = peers.program(settings, peers.HELM)
        released = world.manifest(world.target(outputs, image)).rolled_out
        self.objects = [copy.deepcopy(item) for item in released if item["kind"] in KINDS]
        for item in self.objects:
            item["metadata"]["namespace"] = OTHERS
            if item["kind"] == "Service":
                item["spec"] = {"selector": item["spec"]["selector"], "ports": [{"port": 80, "targetPort": "http"}]}

    @contextmanager
    def namespace(self) -> Iterator[None]:
        self.call([*self.kubectl, "create", "namespace", OTHERS])
        try:
            yield
        finally:
            self.call([*self.kubectl, "delete", "namespace", OTHERS, "--timeout=120s"])

    def call(self, argv: list[str], stdin: str = "") -> tuple[float, int, str]:
        """Return how long ARGV took (s), its exit code and its output."""
        began = time.monotonic()
        ran = subprocess.run(argv, input=stdin, env=self.environ, capture_output=True, text=True, check=False)
        return time.monotonic() - began, ran.returncode, ran.stdout + ran.stderr

    def text(self, fault: str = "") -> str:
        """Return the manifest, with FAULT in it if one is named."""
        objects = copy.deepcopy(self.objects)
        if fault:
            FAULTS[fault][0](next(item for item in objects if item["kind"] == "Deployment"), self.repository)
        return yaml.safe_dump_all(objects)

    def by_kubectl(self, fault: str = "") -> tuple[float, int, str]:
        text = self.folder / "manifest.yaml"
        text.write_text(self.text(fault))
        wait = f"-n {OTHERS} rollout status deployment/app --timeout={DEADLINE}s"
        line = f'"$@" apply --server-side -f {text} && "$@" {wait}'
        return self.call(["bash", "-c", line, "kubectl", *self.kubectl])

    def by_helm(self, fault: str = "") -> tuple[float, int, str]:
        chart = self.folder / "chart"
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
        (chart / "templates" / "all.yaml").write_text(self.text(fault))
        how = ("--install", "--wait", "--atomic", f"--timeout={DEADLINE}s", f"--namespace={OTHERS}")
        return self.call([self.helm, "upgrade", "app", str(chart), *how])

    def by_longshore(self, fault: str = "") -> tuple[float, int, str]:
        original = MANIFEST.read_text()
        try:
            if fault:
                deployment = yaml.safe_load(original)
                FAULTS[fault][0](deployment, self.repository)
                MANIFEST.write_text(yaml.safe_dump(deployment))
            return self.call([sys.executable, "-m", "invoke", "deploy", "--skip-checks"])
        finally:
            MANIFEST.write_text(original)

    def serves(self) -> bool:
        """Return whether the Deployment of kubectl or Helm is complete: every replica new and ready."""
        output = self.call([*self.kubectl, "-n", OTHERS, "get", "deployment/app", "-o", "yaml"])[2]
        status = yaml.safe_load(output)["status"]
        return bool(status.get("updatedReplicas") == status.get("readyReplicas") == status["replicas"])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name))
        print(f"{'fault':<18} {'':<10} {'took':>7}  exit  names the cause  good again")
        for fault, (_, words) in FAULTS.items():
            ours = 0.0
            for who, deploy in (("longshore", site.by_longshore), ("kubectl", site.by_kubectl), ("helm", site.by_helm)):
                if who == "longshore":
                    assert deploy()[1] == 0
                    took, code, output = deploy(fault)
                    again, ours = code == 6, took
                else:
                    with site.namespace():
                        good = deploy()
                        assert good[1] == 0, good[2]
                        took, code, output = deploy(fault)
                        again = site.serves()
                ratio = "" if who == "longshore" else f"  {took / ours:.1f} times as long"
                yes = {True: "yes", False: "no"}
                print(
                    f"{fault:<18} {who:<10} {took:5.1f} s  {code:>4}  {yes[words in output]:<15}  {yes[again]}{ratio}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
