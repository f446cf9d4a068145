"""The deployed project as the tests of faults see it: settings, the cluster's clock and processes."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from longshore.rollout.bake import Asking
from tests.e2e.project import Project, Ran

RATE = 20  # requests per second, all the time
# What ends a faulty release is short, so that a row takes seconds; what is well comes up, however busy the machine is.
LIMITS = {
    "ROLLOUT_DEADLINE": "90",
    "VERIFY_DEADLINE": "30",
    "PATIENCE__PULL": "5",
    "PATIENCE__SCHEDULE": "5",
    "PATIENCE__CONFIG": "4",
    "PATIENCE__VOLUME": "5",
}
TABLE: list[str] = []  # a line per fault, printed when all are done


class Site:
    """The deployed project; `good` is the digest of its last good release."""

    def __init__(self, project: Project) -> None:
        self.project = project
        deployed = project.deploy("--skip-checks").data
        self.url, self.good = deployed["url"], deployed["digest"]
        self.authority = project.state() / "pki" / "edge-ca.crt"
        self.began = 0.0

    def deploy(self, *, bake: int = 0, deadline: float = 180, **limits: str) -> Ran:
        chosen = {**LIMITS, "BAKE": str(bake), **limits}
        environ = {self.project.key(name): value for name, value in chosen.items()}
        return self.project.ship(deadline=deadline, **environ)

    def applied(self) -> float:
        """When a release last applied the Deployment, by the API server's audit log."""
        lines = (self.project.state() / "logs" / "audit.log").read_text().splitlines()
        for line in reversed(lines):
            event = json.loads(line)
            about = event.get("objectRef", {})
            patched = (event["verb"], about.get("resource"), about.get("name")) == ("patch", "deployments", "app")
            if patched and "dryRun" not in event["requestURI"] and "fieldManager=longshore" in event["requestURI"]:
                return datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
        return 0.0

    def verdict(self) -> float:
        """When the last failed release began to save its evidence, which is when it had its verdict."""
        folders = self.evidence.glob("release-*")
        newest = max(folders, key=lambda folder: int(folder.name.partition("-")[2]))
        return min(path.stat().st_mtime for path in newest.iterdir())

    @property
    def evidence(self) -> Path:
        return self.project.folder / ".longshore" / "report" / "evidence"

    def api_server(self) -> int:
        """The pid of this environment's API server."""
        mark = str(self.project.state())
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if "kube-apiserver" in words[:3] and any(mark in word for word in words):
                    return int(folder.name)
        raise AssertionError("no API server is running")

    def when_applied(self, act: Callable[[], Any]) -> threading.Thread:
        """Do ACT one second after the next release has applied its Deployment; `began` is when it did."""
        before = self.applied()

        def wait() -> None:
            end = time.monotonic() + 60
            while (now := self.applied()) == before and time.monotonic() < end:
                time.sleep(0.1)
            self.began = now
            time.sleep(1)
            act()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread


def note(fault: str, ran: Ran, asking: Asking, verdict: float = 0.0, back: float = 0.0) -> None:
    cause = ran.data.get("error", "serves")[:150]
    failed, asked = sum(asking.probe.failed.values()), asking.probe.sent
    TABLE.append(f"{fault:<34} {ran.exit_code:>4} {verdict:6.1f} s {back:4.1f} s {failed:>6}/{asked:<6} {cause}")


def run(
    site: Site, fault: str, *, settings: dict[str, str] | None = None, bake: int = 0
) -> tuple[Ran, Asking, float, float]:
    """Deploy the project's sources under steady requests; return the result, and how these went.

    The last two are the seconds until the verdict, and from there until the rollback was verified.
    """
    watching = site.when_applied(lambda: None)
    with Asking(site.url, site.authority, RATE) as asking:
        ran = site.deploy(bake=bake, **(settings or {}))
        ended = time.time()
    watching.join()
    verdict, back = 0.0, 0.0
    if ran.exit_code == 6:
        at = site.verdict()
        verdict, back = at - site.began, ended - at
    note(fault, ran, asking, verdict, back)
    return ran, asking, verdict, back
