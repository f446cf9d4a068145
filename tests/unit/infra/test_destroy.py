"""What keeps an environment from being destroyed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from longshore.errors import BadInput, Precondition
from tests.unit.infra.given import Terraform, infra, progress, store


@pytest.mark.usefixtures("bucket")
def test_nothing_is_destroyed_unless_confirmed_by_name(tmp_path: Path) -> None:
    runner = Terraform(plan=(2, ""))
    here = infra(tmp_path, runner)
    with pytest.raises(BadInput, match="destroys the infrastructure of local"):
        here.destroy(progress, confirm="production")
    assert runner.names == []
    assert here.destroy(progress, confirm="local") == "1 resources destroyed"
    assert "-destroy" in runner.commands[1].argv
    assert not here.remembered()


def balancer(*, kept: bool) -> dict[str, Any]:
    attributes = {"enable_deletion_protection": kept, "name": "shop"}
    return {"type": "aws_lb", "name": "this", "instances": [{"attributes": attributes}]}


@pytest.mark.usefixtures("account")
def test_what_has_deletion_protection_keeps_all_from_being_destroyed(tmp_path: Path) -> None:
    here = infra(tmp_path, Terraform(plan=(2, "")))
    store(here, resources=[balancer(kept=True)])
    with pytest.raises(Precondition, match=r"aws_lb\.this of local has deletion protection") as refused:
        here.destroy(progress, confirm="local")
    assert "`deletion_protection = false` in terraform/environments/local.tfvars" in refused.value.hint
    assert isinstance(here.runner, Terraform)
    assert here.runner.names == []
    store(here, resources=[balancer(kept=False)])
    assert here.destroy(progress, confirm="local") == "1 resources destroyed"


def test_a_protected_environment_is_not_destroyed(tmp_path: Path) -> None:
    here = infra(tmp_path)
    kept = replace(here, environment=msgspec.structs.replace(here.environment, protected=True))
    with pytest.raises(Precondition, match="local is protected") as refused:
        kept.require("local")
    assert "`protected = false` for local in longshore.toml" in refused.value.hint
