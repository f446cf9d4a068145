"""Terraform's outputs as a struct."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.errors import StateUnknown
from longshore.infra.outputs import Outputs, plain
from tests.unit.infra.outputs import VALUES


def test_every_output_is_kept_beside_those_that_are_read() -> None:
    outputs = Outputs.of(VALUES)
    assert (outputs.url, outputs.node_port) == ("https://shop.localhost:8443", 30080)
    assert outputs.values == VALUES


def test_a_number_may_be_written_as_text() -> None:
    assert Outputs.of(VALUES | {"node_port": "30080"}).node_port == 30080


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({name: value for name, value in VALUES.items() if name != "cluster_endpoint"}, "cluster_endpoint"),
        (VALUES | {"node_port": "many"}, "node_port"),
        (VALUES | {"url": None}, "url"),
    ],
)
def test_a_missing_or_mistyped_output_is_named(values: dict[str, Any], name: str) -> None:
    with pytest.raises(StateUnknown, match=name) as failure:
        Outputs.of(values)
    assert "invoke infra.output" in failure.value.hint


def test_sensitive_outputs_are_left_out() -> None:
    printed = {"url": {"sensitive": False, "value": "u"}, "key": {"sensitive": True, "value": "hunter2"}}
    assert plain(printed) == {"url": "u"}
