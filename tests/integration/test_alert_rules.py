"""The Prometheus rules, tested by Prometheus' own promtool, and the metrics of the service that they name."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from application import create_app
from application.settings import Settings

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "k8s" / "prometheus" / "alerts.yaml"


@pytest.fixture(scope="module")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program from Debian's package, only unpacked: its installation would start a server."""
    if installed := shutil.which("promtool"):
        return installed
    folder = tmp_path_factory.mktemp("prometheus")
    download = "apt-get -q download prometheus"  # a machine's lists may be missing or older than its mirror
    subprocess.run(["sh", "-c", f"{download} || {{ apt-get -q update && {download}; }}"], cwd=folder, check=True)
    (package,) = folder.glob("prometheus_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True, capture_output=True)
    return str(folder / "usr" / "bin" / "promtool")


def test_the_rules_fire_on_what_burns_the_budget_and_on_nothing_else(promtool: str, tmp_path: Path) -> None:
    tests = (Path(__file__).parent / "alerts.promtool.yaml").read_text()
    (tmp_path / "test.yaml").write_text(tests.replace("ALERTS", str(RULES)))
    for words in (["check", "rules", str(RULES)], ["test", "rules", str(tmp_path / "test.yaml")]):
        ran = subprocess.run([promtool, *words], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_rules_name_what_the_service_measures() -> None:
    app = create_app(Settings(secret_key="k" * 32, public_metrics=True))
    client = app.test_client()
    client.get("/")
    measured = client.get("/metrics").text
    named = set(re.findall(r"\b(http_\w+|app_release)\b", RULES.read_text()))
    assert len(named) == 4
    assert named <= set(re.findall(r"^(\w+)(?:\{| )", measured, re.MULTILINE))
    assert 'le="1.0"' in measured


def test_each_alert_links_a_runbook_that_exists() -> None:
    linked = re.findall(r"runbook: (\S+)", RULES.read_text())
    assert len(linked) == RULES.read_text().count("- alert:")
    for path in linked:
        assert (ROOT / path).is_file()
