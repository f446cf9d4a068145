"""With the environment stopped, a command that needs it says so, and sends nothing to where it used to be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = """
[project]
name = "shop"
[environments.local.local]
"""
# Python loads it before any program: what is connected to, except for sockets in the file system, is written down.
RECORDER = """
import os, sys

def record(event, arguments):
    if event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        with open(os.environ["CONNECTIONS"], "a") as file:
            file.write(f"{arguments[1]}\\n")

sys.addaudithook(record)
"""
OUTPUTS = {
    "url": "https://shop.localhost:8443",
    "repository_url": "198.19.0.6:5001/shop",
    "node_port": 30080,
    "cluster_name": "shop-local",
    "cluster_endpoint": "https://198.19.0.6:6443",
    "cluster_certificate_authority_data": "",
    "values": {},
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose environment was up once."""
    folder = tmp_path_factory.mktemp("stopped")
    (folder / "longshore.toml").write_text(SETTINGS)
    (folder / "tasks.py").write_text("from longshore.tasks import collection\n\nns = collection()\n")
    (folder / "recorder").mkdir()
    (folder / "application").mkdir()
    (folder / "application" / "__init__.py").touch()
    (folder / "Dockerfile").touch()
    (folder / "recorder" / "sitecustomize.py").write_text(RECORDER)
    for words in (("init", "-q"), ("add", "tasks.py"), ("commit", "-qm", "Begin")):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *words], cwd=folder, check=True)
    record = folder / ".longshore" / "environments" / "local" / "infra.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"fingerprint": "", "outputs": OUTPUTS}))
    return folder


def invoke(folder: Path, *words: str) -> tuple[int, dict[str, object], str]:
    """Run `invoke WORDS --json`; return its exit code, its document, and what it connected to."""
    connections = folder / "connections"
    connections.unlink(missing_ok=True)
    environ = {
        **os.environ,
        "PYTHONPATH": f"{folder / 'recorder'}:{ROOT}",
        "XDG_STATE_HOME": str(folder / "state"),
        "CONNECTIONS": str(connections),
    }
    argv = [sys.executable, "-m", "invoke", *words, "--json"]
    ended = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout), connections.read_text() if connections.exists() else ""


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("history",),
        ("rollback",),
        ("url",),
        ("release.diff",),
        ("release.logs",),
        ("release.unlock", "--holder", "somebody"),
        ("infra.state",),
        ("infra.unlock", "some-id"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("recorded", [True, False], ids=["applied from here", "no record"])
def test_it_says_that_the_environment_is_not_running(
    stopped: Path, words: tuple[str, ...], *, recorded: bool, tmp_path: Path
) -> None:
    record = stopped / ".longshore" / "environments" / "local" / "infra.json"
    if not recorded:
        record = record.rename(tmp_path / "infra.json")
    try:
        code, document, connections = invoke(stopped, *words)
    finally:
        record.replace(stopped / ".longshore" / "environments" / "local" / "infra.json")
    assert connections == ""
    assert (code, document["error"]) == (3, "the environment local is not running")
    assert document["hint"] == "`invoke local.up -e local` starts it"


def test_it_says_so_where_outputs_that_are_on_no_record_are_asked_for(stopped: Path, tmp_path: Path) -> None:
    record = stopped / ".longshore" / "environments" / "local" / "infra.json"
    away = record.rename(tmp_path / "infra.json")
    try:
        code, document, connections = invoke(stopped, "infra.output")
    finally:
        away.replace(record)
    assert (code, document["error"], connections) == (3, "the environment local is not running", "")


@pytest.mark.parametrize(
    "words",
    [("deploy", "--dry-run", "--skip-checks"), ("local.status",), ("local.list",), ("local.down",), ("infra.output",)],
    ids=lambda words: words[0],
)
def test_what_needs_no_environment_works_without_asking_it(stopped: Path, words: tuple[str, ...]) -> None:
    code, document, connections = invoke(stopped, *words)
    assert (code, connections) == (0, ""), document
