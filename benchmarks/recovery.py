"""How soon a killed environment serves again: `python -m benchmarks.recovery`, where `local` is up and serves.

Its parts are killed with -9, each alone and then all at once; beside them an orderly stop and start.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from longshore.local.daemon import Daemon
from longshore.local.place import Place
from longshore.rollout import verify
from longshore.settings import load, process_environment

ROUNDS = 3
DEADLINE = 60  # seconds
PARTS = ("node", "edge", "aws", "buildkit", "registry")


def invoke(*words: str) -> str:
    """Run one of Longshore's commands and return what it prints."""
    argv = [sys.executable, "-m", "invoke", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class Site:
    """The environment `local` and the address at which it serves."""

    def __init__(self) -> None:
        settings = load(Path.cwd(), process_environment())
        self.place = Place.of(settings, settings.environment("local"))
        self.url = invoke("url").strip()

    def end(self, parts: Collection[str]) -> None:
        """Kill PARTS as a crash would; where there are none, stop all in order."""
        for part in parts:
            log = self.place.logs / f"{part}.log"
            pid = Daemon(id=self.place.id, name=part, run=self.place.run, log=log).pid()
            assert pid, f"{part} does not run"
            os.kill(pid, signal.SIGKILL)
        if not parts:
            invoke("local.down")

    def serves(self) -> bool:
        """Ask the address once."""
        try:
            return bool(verify.version(self.url, self.place.edge_ca))
        except OSError:
            return False

    def recovers(self, parts: Collection[str]) -> float:
        """Return the median of the seconds from the end of PARTS to the first good answer, `local.up` included."""
        took = []
        for _ in range(ROUNDS):
            self.end(parts)
            time.sleep(0.3)
            began = time.perf_counter()
            invoke("local.up")
            while not self.serves():
                assert time.perf_counter() - began < DEADLINE, (
                    f"it does not serve {DEADLINE} s after `local.up`"
                )
                time.sleep(0.05)
            took.append(time.perf_counter() - began)
            time.sleep(5)  # for the machine to come to rest
        return statistics.median(took)


def main() -> None:
    site = Site()
    assert site.serves(), "nothing serves: `invoke deploy` first"
    orderly = site.recovers(())
    print(f"{'stopped in order':<16} serves again {orderly:.1f} s after `local.up`", flush=True)
    for name, parts in {**{part: (part,) for part in PARTS}, "all at once": PARTS}.items():
        took = site.recovers(parts)
        print(f"{name:<16} killed: {took:.1f} s, {took / orderly:.2f} times", flush=True)


if __name__ == "__main__":
    main()
