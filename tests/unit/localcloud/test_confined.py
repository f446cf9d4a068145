from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from localcloud import confined
from localcloud.confined import PARTS, mapped
from localcloud.daemon import birth
from localcloud.layout import Layout

WHOLE = "         0          0 4294967295\n"
ROOTLESS = "         0       1000          1\n         1     100000      65536\n"


def test_each_server_has_a_user_of_its_own_in_each_environment(layout: Layout) -> None:
    users = [confined.user(each, part) for each in (layout, replace(layout, id="other")) for part in PARTS]
    assert len(set(users)) == 6
    assert users == [confined.user(each, part) for each in (layout, replace(layout, id="other")) for part in PARTS]
    assert 0 not in users


def test_numbers_exist_where_the_machine_s_user_namespace_has_them(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mapped(0x70000000, WHOLE)
    assert not mapped(0x70000000, ROOTLESS)
    assert mapped(65536, ROOTLESS)
    monkeypatch.setattr(confined, "MAP", tmp_path / "map")
    confined.MAP.write_text(ROOTLESS)
    assert mapped(confined.user(layout, "edge"), ROOTLESS)


def test_the_outermost_folder_that_is_its_owner_s_alone_is_found(tmp_path: Path) -> None:
    (tmp_path / "home" / "a" / "b").mkdir(parents=True)
    tmp_path.chmod(0o755)
    inner = confined.closed(tmp_path / "home" / "a" / "b")
    for name in ("home/a", "home"):
        (tmp_path / name).chmod(0o700)
    found = confined.closed(tmp_path / "home" / "a" / "b")
    assert found == (inner or tmp_path / "home")  # pytest's own folder may be closed as well


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_has_written_becomes_the_server_s_and_links_are_not_followed(layout: Layout, tmp_path: Path) -> None:
    folder, elsewhere = layout.state / "aws", tmp_path / "elsewhere"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "snapshot").touch()
    elsewhere.touch()
    (folder / "link").symlink_to(elsewhere)
    confined.folder(layout, "aws", folder)
    number = confined.user(layout, "aws")
    assert {path.lstat().st_uid for path in (folder, *folder.rglob("*"))} == {number}
    assert elsewhere.stat().st_uid == 0
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run programs as others")
def test_a_server_is_started_without_anything_that_makes_root_root(layout: Layout) -> None:
    words = confined.argv(layout, "edge", ("nginx",), ())
    assert words[:4] == ("unshare", "--mount", "--propagation=slave", "sh")
    assert words[-1] == "nginx"
    script = confined.SCRIPT.read_text()
    for option in (
        "--reuid=",
        "--regid=",
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
    ):
        assert option in script


@pytest.mark.skipif(os.geteuid() != 0, reason="others' servers are their own user's")
def test_a_server_that_an_older_version_has_started_as_root_is_started_again(layout: Layout) -> None:
    layout.run.mkdir(parents=True)
    layout.daemon("aws").pid_file.write_text(json.dumps([os.getpid(), birth(os.getpid()), ""]))
    assert layout.daemon("aws").alive()
    assert not confined.alive(layout, "aws")
