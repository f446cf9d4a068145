"""`invoke deploy` beside the shortest script that does the same: `python -m benchmarks.deploy`, while `local` is up.

The script builds, renders the overlay with that digest, applies it and waits for `kubectl rollout status`. It checks
and verifies nothing, does not wait for old pods to end and keeps no record.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from longshore.process.runner import Runner
from longshore.rollout import verify
from longshore.settings.load import load, process_environment
from longshore.snapshot.take import take
from longshore.tasks.world import World

ROUNDS = 9
TAG = "TAG"
OURS = [sys.executable, "-m", "invoke", "deploy", "--skip-checks"]


class Site:
    """The environment `local` of the project in the current folder."""

    def __init__(self, folder: Path) -> None:
        environ = process_environment()
        settings, runner = load(Path.cwd(), environ), Runner(environ)
        self.world = World(settings, "local", runner, lambda: take(settings, runner))
        self.note = settings.root / settings.application.path / "benchmark.txt"
        self.script, self.metadata = folder / "deploy.sh", folder / "metadata.json"
        self.url = self.world.infra.outputs().url

    def write_script(self, *, build: bool = True) -> list[str]:
        """Write the script for the sources, which are deployed, and return how it is called.

        Its overlay is what Longshore last applied, so that neither undoes the other's work.
        """
        world, image = self.world, self.world.image.remembered()
        assert image, "deploy before writing the script"
        outputs = world.infra.outputs()
        kubectl = shlex.join(world.cluster(outputs).prefix)
        name = f"{outputs.repository_url}:{TAG}"
        command = world.image.builder(
            context=world.settings.root,
            dockerfile=world.settings.root / world.settings.application.dockerfile,
            folders={},
            name=name,
            metadata=self.metadata,
            platform="",
            base=world.image.base(),
            env={},
        )
        building = shlex.join(command.argv).replace(TAG, "benchmark-$(date +%s%N)")  # a tag is never given twice
        program = f"import json; print(json.load(open('{self.metadata}'))['containerimage.digest'])"
        known = f'digest=$({sys.executable} -c "{program}")'
        overlay = self.script.with_name("overlay")
        overlay.mkdir(exist_ok=True)
        (overlay / "all.yaml").write_text(world.manifest(world.target(outputs, image)).text)
        (overlay / "kustomization.yaml").write_text("resources: [all.yaml]")
        rendered = f"{world.kubectl} kustomize {overlay}" + (f' | sed "s/{image.digest}/$digest/g"' if build else "")
        apply = "apply --server-side --force-conflicts --field-manager=longshore"
        login = world.local.layout.docker_config if world.local else ""
        self.script.write_text(
            f"set -euo pipefail\nexport DOCKER_CONFIG={login}\n"
            + (f"{building} >/dev/null 2>&1\n{known}\n" if build else "")
            + f"{rendered} | {kubectl} {apply} -f - >/dev/null\n"
            f"{kubectl} -n {world.environment.namespace} rollout status deployment/app --timeout=300s >/dev/null\n"
        )
        return ["bash", str(self.script)]

    def digest(self) -> str:
        return str(json.loads(verify.ask(self.url, "/version", self.world.authority)[1])["digest"])

    def ending(self) -> str:
        """Return since when which pods are ending, an empty text where none is."""
        kubectl = self.world.cluster(self.world.infra.outputs()).prefix
        words = ("get", "pods", f"--namespace={self.world.environment.namespace}")
        since = "--output=jsonpath={.items[*].metadata.deletionTimestamp}"
        return subprocess.run([*kubectl, *words, since], check=True, capture_output=True, text=True).stdout

    def run(self, argv: list[str], *, patience: float = 0) -> tuple[float, float]:
        """Return after how many seconds the page shows another digest (0: never), and after how many ARGV ends.

        The script may end first, since `kubectl rollout status` does not watch where requests go; PATIENCE is for how
        many more seconds to look. Pods of the deployment before have ended, which would take the machine's time.
        """
        while self.ending():
            time.sleep(0.2)
        before, seen, over = self.digest(), [0.0], threading.Event()
        began = time.monotonic()

        def look() -> None:
            while not over.wait(0.02) and not seen[0]:
                with contextlib.suppress(OSError):
                    if self.digest() != before:
                        seen[0] = time.monotonic() - began

        looking = threading.Thread(target=look)
        looking.start()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = time.monotonic() - began
        looking.join(patience)
        over.set()
        looking.join()
        return seen[0], took

    def edited(self, mark: str, ours: bool) -> tuple[float, float]:
        argv = OURS if ours else self.write_script()  # before the edit: the sources are those that serve
        self.note.write_text(mark)
        return self.run(argv, patience=30)


def median(values: list[float]) -> float:
    return statistics.median(values)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        site = Site(Path(name))
        try:
            subprocess.run(OURS, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            nothing: dict[bool, list[float]] = {True: [], False: []}
            for _ in range(ROUNDS):
                for ours in (True, False):
                    nothing[ours].append(site.run(OURS if ours else site.write_script(build=False))[1])
            theirs, our = median(nothing[False]), median(nothing[True])
            print(
                f"nothing changed: {our:.2f} s, the script without its build {theirs:.2f} s: {our / theirs:.2f} times"
            )
            edits: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
            for turn in range(ROUNDS):
                for ours in (True, False):
                    edits[ours].append(site.edited(f"{turn} {ours} {time.time()}", ours))
                subprocess.run(OURS, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for index, what in enumerate(("one line changed, until it serves", "until the command ends")):
                our, theirs = (median([seconds[index] for seconds in edits[ours]]) for ours in (True, False))
                print(f"{what}: {our:.2f} s, the script {theirs:.2f} s: {our / theirs:.2f} times")
        finally:
            site.note.unlink(missing_ok=True)
            subprocess.run(OURS, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
