"""References between the files in terraform/ point one way."""

from __future__ import annotations

import re
import runpy
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "terraform" / "readme.py"))
LEAF = 'resource "aws_vpc" "this" {\n  cidr_block = var.cidr\n}\n'
USER = 'resource "aws_subnet" "a" {\n  vpc_id = aws_vpc.this.id\n}\n'
DATA = 'data "aws_zones" "all" {}\n'
LOCAL = 'locals {\n  subnet = aws_subnet.a.id\n  names = { a = "aws_zones.all" }\n}\n'


def order(texts: dict[str, str]) -> list[str]:
    """Return the names of TEXTS, each after those it refers to; raises CycleError."""
    return list(TopologicalSorter(TOOL["references"](texts)).static_order())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (LEAF + "# aws_subnet.a.id\n", USER),
        (LEAF, USER + DATA),
        (DATA + 'resource "x" "y" {\n  name = "my.aws_subnet.a"\n}\n', USER),
    ],
)
def test_references_one_way_are_no_circle(first: str, second: str) -> None:
    assert len(order({"first.tf": first, "second.tf": second})) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (LEAF + 'output "a" {\n  value = aws_subnet.a.id\n}\n', USER),
        (LEAF + 'output "a" {\n  value = "${local.subnet}-a"\n}\n', USER + LOCAL),
        (LEAF + 'output "a" {\n  value = data.aws_zones.all.id\n}\n', USER + DATA),
        (LEAF, USER + 'variable "cidr" {}\n'),
    ],
)
def test_references_both_ways_are_a_circle(first: str, second: str) -> None:
    with pytest.raises(CycleError):
        order({"first.tf": first, "second.tf": second})


def test_what_faces_the_internet_waits_for_the_gateway_to_it() -> None:
    """AWS refuses each of them in a network without one, and Terraform sees no reference to it."""
    facing = {("aws_lb", "this"), ("aws_eip", "nat"), ("aws_nat_gateway", "this")}
    found = {
        (kind, name): body
        for path in TOOL["FOLDER"].glob("*.tf")
        for kind, name, body in TOOL["blocks"](path, "resource")
        if (kind, name) in facing
    }
    assert found.keys() == facing
    waits = re.compile(r"depends_on = \[[^\]]*aws_internet_gateway\.this")
    assert [resource for resource, body in found.items() if not waits.search(body)] == []


def test_the_providers_lock_knows_the_packages_of_every_platform() -> None:
    lock = (Path(__file__).parents[2] / "terraform" / ".terraform.lock.hcl").read_text()
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', lock)) >= 14, "one package for each platform that the provider has"
