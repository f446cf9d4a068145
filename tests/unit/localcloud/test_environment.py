"""What the rest of Longshore is offered of a local environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud import base_image, packages
from localcloud.environment import LocalCloud, system_packages
from longshore.errors import Precondition
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings

SETTINGS = """
[project]
name = "shop"
[environments.local.local]
[environments.kind.local]
context = "kind"
registry = "localhost:5000"
node_address = "127.0.0.1"
[environments.production]
account = "123456789012"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "longshore.toml").write_text(SETTINGS)
    return load(tmp_path, {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": ""})


def make(settings: Settings, name: str = "local") -> LocalCloud:
    return LocalCloud.of(settings, settings.environment(name), Runner({}))


def test_parts_come_after_those_they_need(settings: Settings) -> None:
    seen = {"infra"}
    for part in make(settings).parts:
        if part.name != "node":  # needs the base image, which belongs to the parts around it
            assert seen >= set(part.needs) - {"base-image"}, part.name
        seen.add(part.name)
    assert {"packages", "node", "registry", "aws", "buildkit", "edge"} < seen


def test_an_existing_cluster_replaces_the_built_in_one(settings: Settings) -> None:
    parts = {part.name: part for part in make(settings, "kind").parts}
    assert not parts.keys() & {"kubernetes-binary", "network", "registry", "node"}
    assert parts["base-image"].needs == ("buildkit", "base-file-system")


def test_nothing_of_a_new_environment_is_up(settings: Settings) -> None:
    environment = make(settings)
    assert not [part.name for part in environment.parts if part.name in ("node", "aws", "edge") and part.ready()]
    status = environment.status()
    assert {row["name"] for row in status["parts"]} == {"node", "registry", "aws", "buildkit", "edge"}
    assert not any(row["ready"] for row in status["parts"])


def test_an_environment_in_aws_is_refused(settings: Settings) -> None:
    with pytest.raises(Precondition, match="production is not a local environment"):
        make(settings, "production")


def test_without_the_extra_it_says_how_to_install_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "EXTRA", ("moto", "no_such_module"))
    with pytest.raises(Precondition, match="no_such_module cannot be imported") as problem:
        _ = make(settings).parts
    assert "longshore[local]" in problem.value.hint


def test_a_build_starts_from_the_stand_in_and_pushes_to_the_registry(settings: Settings, tmp_path: Path) -> None:
    environment = make(settings)
    command = environment.build_command(
        context=tmp_path,
        dockerfile=tmp_path / "Dockerfile",
        folders={},
        name="registry/app",
        metadata=tmp_path / "m",
        env={},
        deadline=60,
    )
    assert not [word for word in command.argv if "platform" in word], "a local node has this machine's processor"
    assert command.argv[0].endswith("/buildctl")
    assert f"--addr=unix://{environment.layout.buildkit_socket}" in command.argv
    assert f"--local=context={tmp_path}" in command.argv
    assert any(word.startswith("--output=type=image,name=registry/app,push=true") for word in command.argv)


@pytest.mark.skipif(not base_image._sources(), reason="this machine's apt names no Debian mirror")
def test_a_base_with_another_content_is_another_one(settings: Settings) -> None:
    environment, archive = make(settings), base_image._archive(settings)
    seen = {environment.base_image}
    archive.parent.mkdir(parents=True)
    for content in (b"one", b"two"):
        archive.write_bytes(content)
        seen.add(environment.base_image)
        archive.with_suffix(".sha256").unlink()
    assert len(seen) == 3
    archive.write_bytes(b"one")
    assert environment.base_image in seen


def test_logs_are_found_by_the_beginning_of_a_name(settings: Settings) -> None:
    environment = make(settings)
    environment.layout.logs.mkdir(parents=True)
    for name in ("edge.log", "edge-access.log", "node.log"):
        (environment.layout.logs / name).touch()
    assert [path.name for path in environment.log_files("edge")] == ["edge-access.log", "edge.log"]
    assert len(environment.log_files()) == 3


def test_every_system_package_has_a_reason(settings: Settings) -> None:
    listed = system_packages(settings)
    assert [package for package, _ in listed] == list(packages.NEEDED)
    assert all(package.why for package, _ in listed)
