from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

import localcloud.aws.ssm  # noqa: F401 (gives moto the parameters that AWS publishes)
from longshore.infra.node_image import newer
from longshore.settings.load import load
from longshore.settings.model import Environment

KEYS = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto"}
SETTINGS = Path(__file__).parents[2] / "data" / "longshore.toml"

KEYS = {"AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto"}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    (tmp_path / "longshore.toml").write_text(SETTINGS.read_text())
    with mock_aws():
        yield load(tmp_path, {"HOME": str(tmp_path), **KEYS}).environment("staging")


def plan(release: str, version: str = "1.35") -> dict[str, Any]:
    before = {"release_version": release, "version": version, "ami_type": "AL2023_ARM_64_STANDARD"}
    return {"resource_changes": [{"type": "aws_eks_node_group", "change": {"before": before, "after": before}}]}


def test_nodes_of_an_older_image_are_named_with_what_to_set(environment: Environment) -> None:
    said = newer(environment, plan("1.35.0-20250901"))
    assert "run the image 1.35.0-20250901, AWS recommends 1.35.0-20251101" in said
    assert 'node_image_release = "1.35.0-20251101"' in said


def test_nodes_of_the_newest_image_and_none_at_all_are_no_news(environment: Environment) -> None:
    assert newer(environment, plan("1.35.0-20251101")) == ""
    assert newer(environment, {"resource_changes": [{"type": "aws_eks_node_group", "change": {"before": None}}]}) == ""


def test_a_role_that_may_not_read_it_still_gets_its_plan(environment: Environment) -> None:
    assert "could not be read" in newer(environment, plan("1.20.0-20200101", "1.20"))
