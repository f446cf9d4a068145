"""Where a release goes and on whose behalf: facts that do not change while it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from longshore.commands.kubectl import Cluster
from longshore.process.runner import Runner
from longshore.settings.model import Environment


class Site(Struct, frozen=True, kw_only=True):
    """An environment as a release sees it.

    `url` is the public address; `authority` the CA certificate file that signed it, None where the system's do. `actor`
    (a login), `checkout` (an id that all its runs share) and `job` (a URL, or empty) say who releases. `eks` is the
    cluster's name in EKS, or empty. `commit` is a full hash; `allow_older` permits one that does not contain what runs.
    `sources` returns the folder with `tests/smoke`. `probe` is the requests per second during the rollout, 0 for none.
    `promoted` says where the image was verified before, or is empty. `still` raises where nothing is to be released
    there any more, which may come to be while a release waits for another one.
    """

    cluster: Cluster
    environment: Environment
    runner: Runner
    url: str
    authority: Path | None
    actor: str
    checkout: str
    job: str
    eks: str
    work: Path
    sources: Callable[[], Path]
    commit: str = ""
    allow_older: bool = False
    probe: float = 0
    promoted: str = ""
    still: Callable[[], None] = lambda: None

    @property
    def report(self) -> Path:
        return self.work / "report"  # what a person reads afterwards: logs, figures, evidence
