"""The deployed project on its cluster, and what a fault is made with there: settings, the cluster's own clock, its processes."""

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

RATE = 20  # requests a second that ask all along
# Short, so that a row takes seconds; what is tested is that they are kept.
LIMITS = {
    "ROLLOUT_DEADLINE": "25",
    "VERIFY_DEADLINE": "10",
    "PATIENCE__PULL": "5",
    "PATIENCE__SCHEDULE": "5",
    "PATIENCE__CONFIG": "4",
    "PATIENCE__VOLUME": "5",
}
TABLE: list[str] = []  # a line per fault, printed when all are done


class Site:
    """The deployed project with what a row needs: settings, the cluster's own clock, its processes."""

    def __init__(self, project: Project) -> None:
        self.project = project
        said = project.deploy("--skip-checks").data
        self.url, self.good = said["url"], said["digest"]
        self.authority = project.state() / "pki" / "edge-ca.crt"
        self.began = 0.0

    def deploy(self, *, bake: int = 0, deadline: float = 180, **limits: str) -> Ran:
        chosen = {**LIMITS, "BAKE": str(bake), **limits}
        environ = {self.project.key(name): value for name, value in chosen.items()}
        return self.project.ship(deadline=deadline, **environ)

    def applied(self) -> float:
        """When the Deployment was last applied by a release, by the API server's audit log."""
        lines = (self.project.state() / "logs" / "audit.log").read_text().splitlines()
        for line in reversed(lines):
            event = json.loads(line)
            about = event.get("objectRef", {})
            patched = (event["verb"], about.get("resource"), about.get("name")) == (
                "patch",
                "deployments",
                "app",
            )
            if (
                patched
                and "dryRun" not in event["requestURI"]
                and "fieldManager=longshore" in event["requestURI"]
            ):
                return datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
        return 0.0

    def verdict(self) -> float:
        """When the evidence of the last release that failed was begun: the moment of its verdict."""
        folders = self.evidence.glob("release-*")
        newest = max(folders, key=lambda folder: int(folder.name.partition("-")[2]))
        return min(path.stat().st_mtime for path in newest.iterdir())

    @property
    def evidence(self) -> Path:
        return self.project.folder / ".longshore" / "report" / "evidence"

    def api_server(self) -> int:
        """The process of this environment's API server."""
        mark = str(self.project.state())
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if "kube-apiserver" in words[:3] and any(mark in word for word in words):
                    return int(folder.name)
        raise AssertionError("no API server runs")

    def when_applied(self, act: Callable[[], Any]) -> threading.Thread:
        """Do ACT a second after the next release was applied; `began` is when that was, and not when its rollback was."""
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
    TABLE.append(
        f"{fault:<34} {ran.exit_code:>4} {verdict:6.1f} s {back:4.1f} s {failed:>6}/{asked:<6} {cause}"
    )


def run(
    site: Site, fault: str, *, settings: dict[str, str] | None = None, bake: int = 0
) -> tuple[Ran, Asking, float, float]:
    """Deploy what stands in the project while its address is asked; return also seconds to the verdict and back to good."""
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
