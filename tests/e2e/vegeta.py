"""Vegeta, an independent load generator with a fixed rate; compiled once from its module."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import peers
from longshore.settings import load as settings_module
from tests.e2e.project import Project

TIMEOUT = "10s"


class Vegeta:
    """Sends RATE requests per second to PROJECT's address, every second one on a new connection.

    On a connection that was kept, Go's client repeats a request if the server closed it before the first byte of the
    answer; on a new one it never does.
    """

    def __init__(self, project: Project, rate: int, folder: Path) -> None:
        settings = settings_module.load(project.folder, project.environ)
        self.program = peers.program(settings, peers.VEGETA)
        self.address, self.rate = f"shop.localhost:{project.https_port}", rate // 2
        self.real = f"127.0.0.1:{project.https_port}"
        self.authority = project.state() / "pki" / "edge-ca.crt"
        self.results = [folder / "new.bin", folder / "reused.bin"]
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        targets = self.results[0].with_suffix(".txt")
        targets.write_text(f"GET https://{self.address}/\n")
        for out, keepalive in zip(self.results, ("false", "true"), strict=True):
            argv = [
                self.program,
                "attack",
                f"-targets={targets}",
                f"-rate={self.rate}",
                "-duration=0",
                f"-timeout={TIMEOUT}",
            ]
            argv += [f"-keepalive={keepalive}", "-redirects=-1", "-max-body=0", f"-root-certs={self.authority}"]
            self.running.append(subprocess.Popen([*argv, f"-connect-to={self.address}:{self.real}", f"-output={out}"]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.running:
            process.send_signal(signal.SIGINT)
        for process in self.running:
            process.wait(timeout=30)

    def report(self) -> dict[str, Any]:
        """Return Vegeta's report on all requests: requests, status_codes, errors, latencies in nanoseconds."""
        argv = [self.program, "report", "-type=json", *map(str, self.results)]
        return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)  # type: ignore[no-any-return]
