"""Whose infrastructure it is: its region, its folder and its state."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from longshore.errors import BadInput, Precondition
from longshore.infra.infra import Infra
from tests.unit.infra.given import infra


def test_the_settings_win_over_the_variables_file(tmp_path: Path) -> None:
    derived, first, last = infra(tmp_path).terraform.variables_files()
    assert json.loads(derived.read_text()) == {"app_namespace": "shop", "health_path": "/readyz"}
    assert first == tmp_path / "checkout/terraform/environments/local.tfvars"
    values = json.loads(last.read_text())
    assert (values["https_port"], values["environment"], values["project"]) == (8443, "local", "shop")
    assert values["region"] == "eu-central-1"


def in_region(folder: Path, region: str) -> Infra:
    here = infra(folder)
    return replace(here, environment=msgspec.structs.replace(here.environment, region=region))


def test_another_region_is_another_infrastructure(tmp_path: Path) -> None:
    there = in_region(tmp_path, "sa-east-1")
    assert json.loads(there.terraform.variables_files()[-1].read_text())["region"] == "sa-east-1"
    assert there.fingerprint() != infra(tmp_path).fingerprint()


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('\nregion = "eu-central-1"\n', 2),
        ('region="eu-central-1"', 1),
        ('{\n "region": "eu-central-1"}', 2),
        ('{"region":"eu-central-1"}', 1),
    ],
)
def test_two_regions_are_one_too_many(tmp_path: Path, text: str, line: int) -> None:
    there, here = in_region(tmp_path, "sa-east-1"), infra(tmp_path)
    (tmp_path / "checkout/terraform/environments/local.tfvars").write_text(text)
    with pytest.raises(BadInput) as caught:
        there.terraform.init()
    where = f"terraform/environments/local.tfvars:{line}"
    assert caught.value.sentence.startswith(f"{where}: region is eu-central-1, but `region` of local in longshore.toml")
    with pytest.raises(Precondition, match="bucket"):  # the next thing that is missing
        here.terraform.init()


@pytest.mark.usefixtures("account")
def test_a_region_inside_of_a_variable_is_none_of_ours(tmp_path: Path) -> None:
    there = in_region(tmp_path, "sa-east-1")
    text = 'replicas = {\n  region = "eu-central-1"\n}\n# region = "eu-central-1"\nregions = "eu-central-1"\n'
    (tmp_path / "checkout/terraform/environments/local.tfvars").write_text(text)
    with pytest.raises(Precondition, match="bucket"):
        there.terraform.init()


def test_environments_share_no_terraform_folder_and_no_state(tmp_path: Path) -> None:
    staging, local = infra(tmp_path, name="staging"), infra(tmp_path)
    assert staging.terraform.env["TF_DATA_DIR"] != local.terraform.env["TF_DATA_DIR"]
    assert staging.bucket.key != local.bucket.key
