from __future__ import annotations

from pathlib import Path

from longshore.commands import buildctl, docker


def test_buildx_builds_for_the_nodes_and_says_nothing_of_the_time() -> None:
    command = docker.build(
        Path("/sources"),
        Path("/sources/Dockerfile"),
        name="ecr/shop/app:1",
        metadata=Path("/metadata.json"),
        platform="linux/arm64",
        contexts={"python:3.11": "python:3.11@sha256:1"},
        folders={"added": Path("/added")},
        env={"DOCKER_CONFIG": "/private"},
        deadline=60.0,
    )
    assert command.argv == (
        *("docker", "buildx", "build", "--file=/sources/Dockerfile", "--metadata-file=/metadata.json"),
        *("--progress=plain", "--build-arg=SOURCE_DATE_EPOCH=0", "--provenance=false", "--sbom=false"),
        *("--platform=linux/arm64", "--build-context=python:3.11=docker-image://python:3.11@sha256:1"),
        "--build-context=added=/added",
        "--output=type=image,name=ecr/shop/app:1,push=true,rewrite-timestamp=true,oci-mediatypes=true",
        "/sources",
    )
    assert command.env == {"DOCKER_CONFIG": "/private"}


def test_buildctl_names_a_platform_only_if_there_is_one() -> None:
    def options(**platform: str) -> list[str]:
        command = buildctl.build(
            "buildctl",
            "unix:///socket",
            Path("/sources"),
            Path("/sources/Dockerfile"),
            name="app",
            metadata=Path("/m"),
            contexts={},
            folders={},
            secrets={},
            env={},
            deadline=1,
            **platform,  # type: ignore[arg-type]
        )
        return [word for word in command.argv if word.startswith("--opt=platform")]

    assert options() == []
    assert options(platform="linux/arm64") == ["--opt=platform=linux/arm64"]


def test_the_users_context_and_builder_count() -> None:
    assert {"DOCKER_CONTEXT", "DOCKER_HOST", "BUILDX_BUILDER"} <= set(docker.TAKES)
    assert "DOCKER_CONFIG" not in docker.TAKES
