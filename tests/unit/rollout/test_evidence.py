"""What a failed rollout leaves holds no secret, and only its owner reads it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from longshore.process.command import Secret
from longshore.process.redaction import Redactor
from longshore.process.runner import Runner
from longshore.rollout import evidence
from tests.unit.api_server import Site, cluster_at

SECRET = "correct horse/battery+staple"  # pragma: allowlist secret


def test_a_secret_that_a_pod_prints_is_in_no_file_and_not_in_what_is_shown(site: Site, tmp_path: Path) -> None:
    pod = {"status": {"containerStatuses": [{"name": "app", "restartCount": 1}]}}
    encoded = base64.b64encode(SECRET.encode()).decode()
    annotated = {"metadata": {"name": "app-1", "annotations": {"why": f"exit 1: {SECRET}", "data": encoded}}}
    site.answers = [pod, f"starting\nno access with {SECRET}", {"items": [annotated], "metadata": {}}]
    redactor = Redactor([Secret(SECRET)])
    folder = tmp_path / "report" / "evidence" / "release-3"
    cluster = cluster_at(f"https://127.0.0.1:{site.server.server_port}", site.authority, kubectl="no-such-kubectl")

    shown = evidence.save(cluster, Runner({}, redactor=redactor), ("app-1",), folder)

    assert "no access with [redacted]" in shown
    assert {path.name for path in folder.iterdir()} == {"app-1.app.previous.log", "objects.json"}
    for path in folder.iterdir():
        assert "[redacted]" in path.read_text()
        assert SECRET not in path.read_text()
        assert encoded[:-4] not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "line",
    [
        "OSError: [Errno 30] Read-only file system: '/srv/instance'",
        "sqlite3.OperationalError: unable to open database file",
        "working",
    ],
)
def test_an_application_that_may_not_write_is_shown_with_the_setting_that_lets_it(
    site: Site, tmp_path: Path, line: str
) -> None:
    pod = {"status": {"containerStatuses": [{"name": "app", "restartCount": 1}]}}
    site.answers = [pod, f"starting\n{line}", {"items": [], "metadata": {}}]
    cluster = cluster_at(f"https://127.0.0.1:{site.server.server_port}", site.authority, kubectl="no-such-kubectl")
    shown = evidence.save(cluster, Runner({}), ("app-1",), tmp_path / "evidence" / "release-3")
    assert line in shown
    assert ('`writable = ["/srv/…"]` under [application]' in shown) == (line != "working")
