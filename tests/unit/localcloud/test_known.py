"""Environments are found by what they left, not by their checkouts."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from localcloud import daemon, known, ports
from localcloud.daemon import birth
from localcloud.layout import Layout
from longshore.errors import BadInput, Precondition, StepFailed
from longshore.settings.load import load
from longshore.settings.model import Settings


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """What stands for /run/longshore."""
    (tmp_path / "running").mkdir()
    return tmp_path / "running"


def checkout(tmp_path: Path, name: str) -> Settings:
    root = tmp_path / name
    root.mkdir()
    (root / "longshore.toml").write_text('[project]\nname = "shop"\n[environments.local.local]\naws_port = 4999\n')
    return load(root, {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "PATH": ""})


def rows(settings: Settings, running: Path) -> dict[str, dict[str, object]]:
    return {row["checkout"]: row for row in map(known.describe, known.layouts(settings, running))}


def test_the_environment_of_a_deleted_checkout_is_shown_as_orphaned(tmp_path: Path, running: Path) -> None:
    kept, gone = checkout(tmp_path, "kept"), checkout(tmp_path, "gone")
    for settings in (kept, gone):
        Layout.of(settings, settings.environment("local"))
    shutil.rmtree(tmp_path / "gone")
    found = rows(kept, running)
    assert {name: row["orphaned"] for name, row in found.items()} == {
        str(tmp_path / "kept"): False,
        str(tmp_path / "gone"): True,
    }
    assert {row["up"] for row in found.values()} == {False}
    assert found[str(tmp_path / "gone")]["ports"] == [4999]
    assert found[str(tmp_path / "gone")]["project"] == "shop"


def test_a_found_environment_is_the_one_that_its_checkout_has(tmp_path: Path, running: Path) -> None:
    settings = checkout(tmp_path, "shop")
    made = Layout.of(settings, settings.environment("local"))
    (found,) = known.layouts(settings, running)
    same = ("id", "state", "interface", "cgroup", "link", "pods", "aws_port", "access_log", "environment", "checkout")
    assert [getattr(found, name) for name in same] == [getattr(made, name) for name in same]


def test_one_that_runs_is_found_wherever_its_state_is(tmp_path: Path, running: Path) -> None:
    settings = checkout(tmp_path, "shop")
    made = Layout.of(settings, settings.environment("local"))
    folder = running / made.id
    folder.mkdir()
    made.describe(folder)
    (folder / "aws.pid").write_text(json.dumps([os.getpid(), birth(os.getpid()), ""]))
    elsewhere = load(tmp_path / "shop", {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "none"), "PATH": ""})
    (row,) = rows(elsewhere, running).values()
    assert (row["id"], row["up"], row["parts"], row["state"]) == (made.id, True, ["aws"], str(made.state))


def test_one_of_an_older_version_is_found_though_its_checkout_is_not_known(tmp_path: Path, running: Path) -> None:
    settings = checkout(tmp_path, "shop")
    made = Layout.of(settings, settings.environment("local"))
    (made.state / "about.json").unlink()
    (row,) = rows(settings, running).values()
    assert (row["id"], row["orphaned"]) == (made.id, None)
    (found,) = known.layouts(settings, running)
    assert found.link == made.link


def test_damaged_records_do_not_hide_an_environment(tmp_path: Path, running: Path) -> None:
    settings = checkout(tmp_path, "shop")
    made = Layout.of(settings, settings.environment("local"))
    for name in ("about.json", "place.json"):
        (made.state / name).write_text('{"link": 5')
    (row,) = rows(settings, running).values()
    assert row["id"] == made.id


def test_an_unknown_id_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no environment with the id 'nosuch'"):
        known.find(checkout(tmp_path, "shop"), "nosuch")


def test_a_taken_port_names_the_environment_that_has_it(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (running / "shop-local-3f9a2c").mkdir()
    (running / "shop-local-3f9a2c" / "edge.pid").write_text(json.dumps([os.getpid(), birth(os.getpid()), ""]))
    monkeypatch.setattr(ports, "owner", lambda pid: daemon.owner(pid, running))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Precondition, match=f"port {port} is taken by the edge of shop-local-3f9a2c") as raised:
            ports.require_free(port, "the edge", "`https_port`")
    assert "`invoke local.down --id shop-local-3f9a2c` ends it" in raised.value.hint


def test_a_port_that_is_taken_after_it_was_free_is_a_missing_precondition() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Precondition, match="is taken"), ports.raced(lambda: ports.require_free(port, "it", "`p`")):
            raise StepFailed("edge ended right after it was started")
    with pytest.raises(StepFailed, match="edge ended"), ports.raced(lambda: ports.require_free(port, "it", "`p`")):
        raise StepFailed("edge ended right after it was started")
