"""Which images Dockerfiles and settings name, and how a digest gets into them."""

from __future__ import annotations

import pytest

from longshore.image import pins

DIGEST = f"sha256:{'1' * 64}"
DOCKERFILE = """\
# FROM comment:1
FROM --platform=$BUILDPLATFORM python:3.11-slim AS build
FROM hashicorp/terraform:1.11.4 as tools
FROM build
FROM scratch
FROM $BASE
COPY --from=build /a /a
COPY --chown=1:1 --from=docker:28-cli /b /b
COPY --from=0 /c /c
RUN --mount=type=bind,from=registry.example.com:5000/x/y:2,target=/m --mount=type=cache,target=/k true
"""


def test_a_dockerfiles_images_are_those_of_from_copy_and_mount_but_no_stages_and_no_variables() -> None:
    assert [*pins.in_dockerfile(DOCKERFILE)] == [
        (2, "python:3.11-slim"),
        (3, "hashicorp/terraform:1.11.4"),
        (8, "docker:28-cli"),
        (10, "registry.example.com:5000/x/y:2"),
    ]


@pytest.mark.parametrize("used", ["$BASE", "${BASE}", "${BASE:-python:3.9}"])
def test_an_argument_that_is_an_image_is_one_where_it_is_set(used: str) -> None:
    text = f'ARG TAG=3.12\nARG BASE="python:3.12-slim"\nFROM {used} AS a\nFROM python:$TAG\nFROM python:${{TAG}}-slim\n'
    assert [*pins.in_dockerfile(text)] == [(2, "python:3.12-slim")]


def test_settings_may_have_either_quotes() -> None:
    assert [*pins.in_settings("base_image = 'python:3.11'\n")] == [(1, "python:3.11")]


def test_the_settings_images_are_the_base_the_jobs_and_the_daemons() -> None:
    text = (
        'base_image = "python:3.11"  # x\n[pipeline]\n# image = "old"\nimage = "a/ci"\n'
        'docker = "docker:28-dind"\nbuildkit = "moby/buildkit:rootless"\n'
    )
    assert [*pins.in_settings(text)] == [
        (1, "python:3.11"),
        (4, "a/ci"),
        (5, "docker:28-dind"),
        (6, "moby/buildkit:rootless"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM python:3.11 AS a\n", f"FROM python:3.11@{DIGEST} AS a\n"),
        ("FROM python:3.11-slim\n", "FROM python:3.11-slim\n"),
        ("FROM my/python:3.11\n", "FROM my/python:3.11\n"),
        (f"FROM python:3.11@{DIGEST}\n", f"FROM python:3.11@{DIGEST}\n"),
        ('base_image = "python:3.11"', f'base_image = "python:3.11@{DIGEST}"'),
        ("--from=python:3.11,target=/x", f"--from=python:3.11@{DIGEST},target=/x"),
    ],
)
def test_a_digest_replaces_the_whole_name_and_no_part_of_another(text: str, expected: str) -> None:
    assert pins.replaced(text, {"python:3.11": f"python:3.11@{DIGEST}"}) == expected
