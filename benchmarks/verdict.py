"""How long a bad release goes unnoticed, beside kubectl and Helm: `python -m benchmarks.verdict`, where `local` is up.

All of them begin with a good release. The others get a namespace of their own, and a deadline of a minute instead of their five.
"""

from __future__ import annotations

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
from longshore.runner import Runner
from longshore.settings import load, process_environment
from longshore.tasks.world import World

DEADLINE = 60  # seconds
THERE = "benchmark"  # the namespace of the others
MANIFEST = Path("k8s/base/deployment.yaml")
KINDS = ("ServiceAccount", "Service", "Deployment")
CRASH = ["python", "-c", "print('the vault is locked'); raise SystemExit(3)"]
Object = dict[str, Any]


def crash(deployment: Object, _: str) -> None:
    """Let the service end as it starts."""
    deployment["spec"]["template"]["spec"]["containers"][0]["command"] = CRASH


def missing(deployment: Object, repository: str) -> None:
    """Add a container whose image was never pushed."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    containers.append(
        {
            "name": "side",
            "image": f"{repository}:never-pushed",
            "securityContext": containers[0]["securityContext"],
        }
    )


FAULTS = {"crash at start": (crash, "the vault is locked"), "image tag missing": (missing, "not found")}


class Site:
    """The environment `local`, and a second copy of what it runs for the others to deploy."""

    def __init__(self, folder: Path) -> None:
        settings = load(Path.cwd(), process_environment())
        self.world = World(settings, "local", Runner(settings.environ))
        self.folder = folder
        self.kubectl = list(self.world.cluster().prefix)
        place = self.world.place
        assert place
        self.environ = os.environ | {"KUBECONFIG": str(place.kubeconfig)}
        self.repository = str(self.world.infra.outputs()["repository_url"])
        self.helm = peers.program(settings, peers.HELM)
        self.objects = [thing for thing in self.world.manifest().objects() if thing["kind"] in KINDS]
        for thing in self.objects:
            thing["metadata"]["namespace"] = THERE
            if thing["kind"] == "Service":
                thing["spec"] = {
                    "selector": thing["spec"]["selector"],
                    "ports": [{"port": 80, "targetPort": "http"}],
                }

    @contextmanager
    def namespace(self) -> Iterator[None]:
        self.call([*self.kubectl, "create", "namespace", THERE])
        try:
            yield
        finally:
            self.call([*self.kubectl, "delete", "namespace", THERE, "--timeout=120s"])

    def call(self, argv: list[str], stdin: str = "") -> tuple[float, int, str]:
        """Return after how many seconds ARGV ended, how, and what it said."""
        began = time.monotonic()
        ran = subprocess.run(argv, input=stdin, env=self.environ, capture_output=True, text=True, check=False)
        return time.monotonic() - began, ran.returncode, ran.stdout + ran.stderr

    def text(self, fault: str = "") -> str:
        """Return the manifest, spoiled by FAULT where one is named."""
        objects = yaml.safe_load_all(yaml.safe_dump_all(self.objects))
        made = list(objects)
        if fault:
            FAULTS[fault][0](next(thing for thing in made if thing["kind"] == "Deployment"), self.repository)
        return yaml.safe_dump_all(made)

    def by_kubectl(self, fault: str = "") -> tuple[float, int, str]:
        text = self.folder / "manifest.yaml"
        text.write_text(self.text(fault))
        line = f'"$@" apply --server-side -f {text} && "$@" -n {THERE} rollout status deployment/app --timeout={DEADLINE}s'
        return self.call(["bash", "-c", line, "kubectl", *self.kubectl])

    def by_helm(self, fault: str = "") -> tuple[float, int, str]:
        chart = self.folder / "chart"
        (chart / "templates").mkdir(parents=True, exist_ok=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
        (chart / "templates" / "all.yaml").write_text(self.text(fault))
        how = ("--install", "--wait", "--atomic", f"--timeout={DEADLINE}s", f"--namespace={THERE}")
        return self.call([self.helm, "upgrade", "app", str(chart), *how])

    def by_longshore(self, fault: str = "") -> tuple[float, int, str]:
        kept = MANIFEST.read_text()
        try:
            if fault:
                deployment = yaml.safe_load(kept)
                FAULTS[fault][0](deployment, self.repository)
                MANIFEST.write_text(yaml.safe_dump(deployment))
            return self.call([sys.executable, "-m", "invoke", "deploy", "--skip-checks"])
        finally:
            MANIFEST.write_text(kept)

    def serves(self) -> bool:
        """Whether the others' Deployment is complete: every replica new and ready."""
        said = self.call([*self.kubectl, "-n", THERE, "get", "deployment/app", "-o", "yaml"])[2]
        found = yaml.safe_load(said)
        status = found["status"]
        return bool(status.get("updatedReplicas") == status.get("readyReplicas") == status["replicas"])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name))
        print(f"{'fault':<18} {'':<10} {'took':>7}  exit  names the cause  good again")
        for fault, (_, words) in FAULTS.items():
            ours = 0.0
            for who, deploy in (
                ("longshore", site.by_longshore),
                ("kubectl", site.by_kubectl),
                ("helm", site.by_helm),
            ):
                if who == "longshore":
                    assert deploy()[1] == 0
                    took, code, said = deploy(fault)
                    again, ours = code == 6, took
                else:
                    with site.namespace():
                        good = deploy()
                        assert good[1] == 0, good[2]
                        took, code, said = deploy(fault)
                        again = site.serves()
                ratio = "" if who == "longshore" else f"  {took / ours:.1f} times as long"
                yes = {True: "yes", False: "no"}
                print(
                    f"{fault:<18} {who:<10} {took:5.1f} s  {code:>4}  {yes[words in said]:<15}  {yes[again]}{ratio}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
