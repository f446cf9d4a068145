"""How soon a killed environment serves again: `python -m benchmarks.recovery`, while `local` is up and serves.

Its parts are killed with SIGKILL, one by one and then all at once, and compared with an orderly stop and start.
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

from localcloud.daemon import Daemon
from localcloud.layout import Layout
from longshore.rollout import verify
from longshore.settings.load import load, process_environment

ROUNDS = 3
DEADLINE = 60  # seconds
PARTS = ("node", "edge", "aws", "buildkit", "registry", "ecr")


def invoke(*words: str) -> str:
    """Run one of Longshore's commands and return what it prints."""
    argv = [sys.executable, "-m", "invoke", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


class Site:
    """The environment `local` and the address at which it serves."""

    def __init__(self) -> None:
        settings = load(Path.cwd(), process_environment())
        self.layout = Layout.of(settings, settings.environment("local"))
        self.url = invoke("url").strip()

    def end(self, parts: Collection[str]) -> None:
        """Kill PARTS as a crash would; without any, stop the environment in order."""
        for part in parts:
            log = self.layout.logs / f"{part}.log"
            pid = Daemon(id=self.layout.id, name=part, run=self.layout.run, log=log).pid()
            assert pid, f"{part} is not running"
            os.kill(pid, signal.SIGKILL)
        if not parts:
            invoke("local.down")

    def serves(self) -> bool:
        """Return whether the address answers one request."""
        try:
            return verify.ask(self.url, "/version", self.layout.edge_ca)[0] == 200
        except OSError:
            return False

    def recovers(self, parts: Collection[str]) -> float:
        """Return the median time (s) from the end of PARTS to the first good answer, `local.up` included."""
        took = []
        for _ in range(ROUNDS):
            self.end(parts)
            time.sleep(0.3)
            began = time.perf_counter()
            invoke("local.up")
            while not self.serves():
                assert time.perf_counter() - began < DEADLINE, f"nothing serves {DEADLINE} s after `local.up`"
                time.sleep(0.05)
            took.append(time.perf_counter() - began)
            time.sleep(5)  # until the machine is idle again
        return statistics.median(took)


def main() -> None:
    site = Site()
    assert site.serves(), "nothing serves; run `invoke deploy` first"
    orderly = site.recovers(())
    print(f"{'stopped in order':<16} serves again {orderly:.1f} s after `local.up`", flush=True)
    for name, parts in {**{part: (part,) for part in PARTS}, "all at once": PARTS}.items():
        took = site.recovers(parts)
        print(f"{name:<16} killed: {took:.1f} s, {took / orderly:.2f} times", flush=True)


if __name__ == "__main__":
    main()
