"""How soon a killed environment serves again: `python -m benchmarks.recovery`, where `local` is up and serves.

Its parts are killed with -9, each alone and then all at once; beside them an orderly stop and start.
"""

from __future__ import annotations

import os
import signal
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from longshore.local.daemon import Daemon
from longshore.local.place import Place
from longshore.settings import load, process_environment

ROUNDS = 5
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
        self.url = f"{invoke('url').strip()}/version"
        self.tls = ssl.create_default_context(cafile=str(self.place.edge_ca))

    def kill(self, parts: Iterable[str]) -> None:
        """End PARTS as a crash would."""
        for part in parts:
            pid = Daemon(self.place.id, part, self.place.run, self.place.logs / f"{part}.log").pid()
            assert pid, f"{part} does not run"
            os.kill(pid, signal.SIGKILL)

    def served(self) -> None:
        """Wait until the address answers with success."""
        while True:
            try:
                with urllib.request.urlopen(self.url, context=self.tls, timeout=2):
                    return
            except OSError:
                time.sleep(0.05)

    def recovers(self, damage: Callable[[], object]) -> float:
        """Return the seconds from DAMAGE to the first good answer, `local.up` included."""
        damage()
        time.sleep(0.3)
        began = time.perf_counter()
        invoke("local.up")
        self.served()
        took = time.perf_counter() - began
        time.sleep(5)  # let the machine come to rest
        return took


def main() -> None:
    site = Site()
    site.served()
    orderly = statistics.median(site.recovers(lambda: invoke("local.down")) for _ in range(ROUNDS))
    print(f"an orderly stop: serving again {orderly:.1f} s after `local.up`")
    for parts in (*([part] for part in PARTS), PARTS):
        took = statistics.median(site.recovers(lambda parts=parts: site.kill(parts)) for _ in range(ROUNDS))
        name = "all at once" if parts is PARTS else parts[0]
        print(f"{name:<12} killed: {took:5.1f} s, {took / orderly:.2f} times", flush=True)


if __name__ == "__main__":
    main()
