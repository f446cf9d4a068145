"""A bad release is noticed in seconds, its cause is named, and the good one serves again."""

from __future__ import annotations

import threading
import time
from typing import Self

from tests.e2e.project import Project


class Asking:
    """Sends twenty requests per second to the public address, each on a new connection; counts failures."""

    def __init__(self, project: Project) -> None:
        self.project, self.asked, self.failed = project, 0, [""] * 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.asked += 1
            try:
                status, _, _ = self.project.get("/version")
                if status != 200:
                    self.failed.append(str(status))
            except OSError as problem:
                self.failed.append(repr(problem))


def test_a_release_that_crashes_at_start_is_rolled_back_and_nobody_notices(project: Project) -> None:
    good = project.deploy().data
    config = project.folder / "application" / "gunicorn.conf.py"
    config.write_text(config.read_text() + '\nprint("the vault is locked")\nsys.exit(3)\n')
    began = time.monotonic()
    with Asking(project) as asking:
        ran = project.deploy("--skip-checks", check=False)
    assert ran.exit_code == 6, ran.out + ran.err
    assert "exited with code 3" in ran.err
    assert "the vault is locked" in ran.err, "the last lines of the pod's log are shown"
    assert time.monotonic() - began < 90
    assert project.version()["digest"] == good["digest"]
    assert asking.asked > 20
    assert asking.failed == []
    releases = project.invoke("history", "-e", project.name, "--json").data["releases"]
    assert releases[0]["verdict"] == "rolled back"
    last_good = next(release for release in releases if release["verdict"] == "good")
    assert last_good["digest"] == good["digest"]
    folder = project.folder / ".longshore" / "report" / "evidence" / f"release-{releases[0]['number']}"
    assert "the vault is locked" in "".join(path.read_text() for path in folder.glob("*.log"))


def test_an_edit_is_rolled_out_without_a_failed_request(project: Project) -> None:
    project.deploy()
    (project.folder / "application" / "note.txt").write_text("only another digest")
    with Asking(project) as asking:
        assert project.deploy("--skip-checks").data["changed"] is True
    assert asking.asked > 50
    assert asking.failed == []
