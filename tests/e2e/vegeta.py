"""Vegeta beside a rollout: a client that nobody here wrote, at a fixed rate, compiled once from its module."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import peers
from longshore import settings as settings_module
from tests.e2e.project import Project

TIMEOUT = "10s"


class Vegeta:
    """Asks PROJECT's address RATE times a second, every second time on a connection of its own.

    On a kept one, Go's client asks again where the server closed it before a byte of the answer; on a new one it never does.
    """

    def __init__(self, project: Project, rate: int, folder: Path) -> None:
        settings = settings_module.load(project.folder, project.environ)
        self.program = peers.program(settings, peers.VEGETA)
        self.address, self.rate = f"shop.localhost:{project.https_port}", rate // 2
        self.real = f"127.0.0.1:{project.https_port}"
        self.authority = project.state() / "pki" / "edge-ca.crt"
        self.results = [folder / "own.bin", folder / "kept.bin"]
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        targets = self.results[0].with_suffix(".txt")
        targets.write_text(f"GET https://{self.address}/\n")
        for out, kept in zip(self.results, ("false", "true"), strict=True):
            argv = [
                self.program,
                "attack",
                f"-targets={targets}",
                f"-rate={self.rate}",
                "-duration=0",
                f"-timeout={TIMEOUT}",
            ]
            argv += [f"-keepalive={kept}", "-redirects=-1", "-max-body=0", f"-root-certs={self.authority}"]
            self.running.append(
                subprocess.Popen([*argv, f"-connect-to={self.address}:{self.real}", f"-output={out}"])
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.running:
            process.send_signal(signal.SIGINT)
        for process in self.running:
            process.wait(timeout=30)

    def report(self) -> dict[str, Any]:
        """Return what Vegeta says of all of it: requests, status_codes, errors, latencies in nanoseconds."""
        argv = [self.program, "report", "-type=json", *map(str, self.results)]
        return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)  # type: ignore[no-any-return]
