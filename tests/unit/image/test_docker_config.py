"""The copy of the user's Docker configuration: nothing of it is lost, and our login is the one that counts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import Precondition
from longshore.image import docker_config

ECR = "222222222222.dkr.ecr.eu-central-1.amazonaws.com"
OURS = {ECR: "QVdTOng="}
DESKTOP = {
    "auths": {"https://index.docker.io/v1/": {}, "ghcr.io": {}},
    "credsStore": "desktop",
    "credHelpers": {ECR: "ecr-login", "gcr.io": "gcloud"},
    "currentContext": "colima",
    "proxies": {"default": {"httpProxy": "http://proxy:3128"}},
    "cliPluginsExtraDirs": ["/opt/homebrew/lib/docker/cli-plugins"],
    "plugins": {"buildx": {"x": "y"}},
}


def test_what_is_no_login_stays_what_it_is() -> None:
    merged = docker_config.merged(DESKTOP, OURS)
    for key in ("currentContext", "proxies", "cliPluginsExtraDirs", "plugins"):
        assert merged[key] == DESKTOP[key]


def test_no_helper_hides_our_login() -> None:
    merged = docker_config.merged(DESKTOP, OURS)
    assert merged["auths"][ECR] == {"auth": "QVdTOng="}
    assert "credsStore" not in merged
    assert ECR not in merged["credHelpers"]


def test_a_helper_for_all_registries_keeps_those_that_it_has() -> None:
    merged = docker_config.merged(DESKTOP, OURS)
    assert merged["credHelpers"] == {"https://index.docker.io/v1/": "desktop", "ghcr.io": "desktop", "gcr.io": "gcloud"}


def test_a_login_in_the_file_stays() -> None:
    merged = docker_config.merged({"auths": {"ghcr.io": {"auth": "dTpw"}, ECR: {"auth": "b2xk"}}}, OURS)
    assert merged == {"auths": {"ghcr.io": {"auth": "dTpw"}, ECR: {"auth": "QVdTOng="}}}


def test_the_users_own_configuration_is_not_touched(tmp_path: Path) -> None:
    own, target = tmp_path / "own", tmp_path / "copy"
    for folder in ("contexts/meta", "buildx/instances", "cli-plugins"):
        (own / folder).mkdir(parents=True)
    (own / "buildx" / "current").write_text('{"Name":"remote"}')
    (own / "config.json").write_text(text := json.dumps(DESKTOP))
    target.mkdir(mode=0o700)
    docker_config.write(target, own, OURS)
    assert (own / "config.json").read_text() == text
    assert sorted(os.listdir(own)) == ["buildx", "cli-plugins", "config.json", "contexts"]
    assert (target / "buildx" / "current").read_text() == '{"Name":"remote"}'
    assert (target / "contexts" / "meta").is_dir()
    assert not (target / "config.json").is_symlink()
    assert (target / "config.json").stat().st_mode & 0o777 == 0o600


def test_a_user_without_docker_gets_the_login_alone(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    docker_config.write(tmp_path / "copy", tmp_path / "nowhere", OURS)
    assert json.loads((tmp_path / "copy" / "config.json").read_text()) == {"auths": {ECR: {"auth": "QVdTOng="}}}


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"', '{"auths": [1]}', '{"credHelpers": "x"}', "\xff"])
def test_a_configuration_that_is_none_is_named(tmp_path: Path, content: Any) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("latin-1"))
    (tmp_path / "copy").mkdir()
    with pytest.raises(Precondition, match=r"config\.json cannot be read"):
        docker_config.write(tmp_path / "copy", tmp_path, OURS)
