"""The providers that a plan was made with: installed ones, and what a CLI configuration puts in their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.files import Memory
from longshore.infra import providers
from longshore.settings.host import Host


def program(folder: Path, content: str = "one") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "terraform-provider-aws_v5"
    file.write_text(content)
    return file


def test_a_changed_program_is_another_one_and_an_unchanged_one_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, data, memory = tmp_path / "mirror", tmp_path / "providers", Memory(tmp_path)
    file = program(mirror / "linux_amd64")
    (data / "aws" / "5.100.0").mkdir(parents=True)
    (data / "aws" / "5.100.0" / "linux_amd64").symlink_to(mirror / "linux_amd64")  # as Terraform does for a mirror
    first = providers.installed(data, memory)
    assert providers.installed(data, Memory(tmp_path / "elsewhere")) == first
    file.write_text("two")
    second = providers.installed(data, memory)
    assert second != first
    file.write_text("one")
    assert providers.installed(data, memory) == first
    monkeypatch.setattr(providers, "_hash", None)
    assert providers.installed(data, memory) == first


def test_none_is_installed_before_the_first_start(tmp_path: Path) -> None:
    assert providers.installed(tmp_path / "providers", Memory(tmp_path)) == providers.installed(
        tmp_path / "others", Memory(tmp_path)
    )


FORMS = {
    "terraformrc": 'provider_installation {\n  dev_overrides {\n    "hashicorp/aws" = "%s"\n  }\n  direct {}\n}\n',
    "terraformrc.json": '{"provider_installation": {"dev_overrides": {"hashicorp/aws": "%s"}}}',
}


@pytest.mark.parametrize("form", FORMS)
def test_a_configuration_that_replaces_providers_is_a_fact_with_their_content(tmp_path: Path, form: str) -> None:
    file = program(tmp_path / "mine")
    host = Host.read({"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(tmp_path / form)})
    assert providers.overrides(host) == ""
    (tmp_path / form).write_text("disable_checkpoint = true\n")
    assert providers.overrides(host) == ""
    (tmp_path / form).write_text(FORMS[form] % file.parent)
    first = providers.overrides(host)
    assert first
    file.write_text("two")
    assert providers.overrides(host) not in ("", first)


def test_files_in_terraforms_own_folder_count_too(tmp_path: Path) -> None:
    (tmp_path / ".terraform.d").mkdir()
    (tmp_path / ".terraform.d" / "dev.tfrc").write_text(FORMS["terraformrc"] % "/nowhere")
    assert providers.overrides(Host.read({"HOME": str(tmp_path)}))
