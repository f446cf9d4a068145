"""What `invoke deploy` takes beside the shortest script for the same: `python -m benchmarks.deploy`, where `local` is up.

The script builds, renders the overlay with that digest, applies it and waits for `kubectl rollout status`: it checks nothing,
verifies nothing, does not wait until old pods are gone and keeps no record.
"""

from __future__ import annotations

import contextlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from longshore.rollout import verify
from longshore.rollout.render import STAND_INS
from longshore.runner import Runner
from longshore.settings import load, process_environment
from longshore.tasks.world import World

ROUNDS = 3
OURS = [sys.executable, "-m", "invoke", "deploy", "--skip-checks"]


class Site:
    """The environment `local` of the project in the current folder."""

    def __init__(self, folder: Path) -> None:
        settings = load(Path.cwd(), process_environment())
        self.world = World(settings, "local", Runner(settings.environ))
        self.note = settings.root / settings.application.path / "benchmark.txt"
        self.script, self.metadata = folder / "deploy.sh", folder / "metadata.json"
        self.url = str(self.world.infra.outputs()["url"])

    def write_script(self, *, build: bool = True) -> list[str]:
        """Write the script for the sources as they are, and return how it is called. It renders what Longshore renders last."""
        world = self.world
        manifest, served = world.manifest(), self.digest()
        kubectl = shlex.join(world.cluster().prefix)
        name = f"{world.infra.outputs()['repository_url']}:benchmark"
        building = shlex.join(world.image.builder(name=name, metadata=self.metadata, env={}).argv)
        known = f"digest=$({sys.executable} -c \"import json; print(json.load(open('{self.metadata}'))['containerimage.digest'])\")"
        digest = "$digest" if build else served
        values = {"digest": digest, "revision": world.source.revision, "mark": manifest.mark}
        change = ";".join(f"s/{STAND_INS[name]}/{value}/g" for name, value in values.items())
        rendered = f'{world.kubectl} kustomize {world.infra.folder / "kustomize"} | sed "{change}"'
        login = world.place.docker_config if world.place else ""
        self.script.write_text(
            f"set -euo pipefail\nexport DOCKER_CONFIG={login}\n" + (f"{building} >/dev/null 2>&1\n{known}\n" if build else "")
            + f"{rendered} | {kubectl} apply --server-side --force-conflicts --field-manager=longshore -f - >/dev/null\n"
            f"{kubectl} -n {world.environment.namespace} rollout status deployment/app --timeout=300s >/dev/null\n"
        )  # fmt: skip
        return ["bash", str(self.script)]

    def digest(self) -> str:
        return str(verify.version(self.url, self.world.authority)["digest"])

    def run(self, argv: list[str], *, patience: float = 0) -> tuple[float, float]:
        """Return after how many seconds the page shows another digest (0: never), and after how many ARGV has ended.

        The script may end first: `kubectl rollout status` does not ask where the requests go. So look for PATIENCE seconds more.
        """
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
        argv = OURS if ours else self.write_script()  # before the edit: the manifest names what serves
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
            for _ in range(ROUNDS * 2):
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
                our, theirs = (median([one[index] for one in edits[ours]]) for ours in (True, False))
                print(f"{what}: {our:.2f} s, the script {theirs:.2f} s: {our / theirs:.2f} times")
        finally:
            site.note.unlink(missing_ok=True)
            subprocess.run(OURS, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
