from __future__ import annotations

import base64
from pathlib import Path

import bcrypt
import pytest

from localcloud import registry_login
from localcloud.layout import Layout


def test_a_login_is_made_once_and_its_files_are_private(layout: Layout) -> None:
    registry_login.ensure(layout)
    login = registry_login.token(layout)
    registry_login.ensure(layout)
    assert registry_login.token(layout) == login
    for path in (layout.docker_config / "config.json", registry_login.hashed(layout)):
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_registry_knows_the_hash_alone(layout: Layout) -> None:
    registry_login.ensure(layout)
    user, _, password = base64.b64decode(registry_login.token(layout)).partition(b":")
    known, _, mark = registry_login.hashed(layout).read_bytes().strip().partition(b":")
    assert (user, known) == (b"AWS", b"AWS")
    assert password not in registry_login.hashed(layout).read_bytes()
    assert bcrypt.checkpw(password, mark)


@pytest.mark.parametrize("text", ["", "{}", '{"auths": []}', '{"auths": {"r:1": {}}}'])
def test_a_docker_configuration_without_a_login_gives_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert registry_login.read(tmp_path, "r:1") == ""
    assert registry_login.read(tmp_path / "nowhere", "r:1") == ""
