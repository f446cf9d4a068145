"""What Terraform's events and the settings come to."""

from __future__ import annotations

import json
from pathlib import Path

from longshore.runner import Runner
from longshore.settings import load
from longshore.steps.infra import Infra
from longshore.steps.terraform_events import Count

ROOT = Path(__file__).parent.parent.parent.parent


def event(kind: str, **more: object) -> str:
    return json.dumps({"type": kind, **more})


def test_progress_counts_finished_resources_of_all_changes() -> None:
    said: list[tuple[object, ...]] = []
    count = Count(2, lambda *words: said.append(words))
    hook = {"resource": {"addr": "aws_vpc.this"}}
    for line in (
        "not json",
        event("apply_start", hook=hook),
        event("apply_complete", hook=hook),
        event("version"),
        event("apply_complete", hook={**hook, "action": "read"}),
    ):
        count(line)
    assert said == [("applying aws_vpc.this", 0, 2), ("applying aws_vpc.this", 1, 2)]


def test_errors_are_collected_from_the_events() -> None:
    count = Count(1, lambda *words: None)
    count(json.dumps({"type": "diagnostic", "@level": "error", "@message": "Error: no such zone"}))
    count(json.dumps({"type": "diagnostic", "@level": "warn", "@message": "Warning: old"}))
    assert count.errors == ["Error: no such zone"]


def infra(folder: Path, name: str = "local") -> Infra:
    (folder / "longshore.toml").write_text((ROOT / "longshore.toml").read_text())
    settings = load(folder, {"HOME": str(folder)})
    return Infra(settings, settings.environment(name), Runner({}))


def test_what_the_settings_say_wins_over_the_variables_file(tmp_path: Path) -> None:
    *_, last = infra(tmp_path).variables_files()
    said = json.loads(last.read_text())
    assert (said["https_port"], said["environment"], said["project"]) == (8443, "local", "shop")


def test_environments_share_no_terraform_folder_and_no_state(tmp_path: Path) -> None:
    one, two = infra(tmp_path, "staging"), infra(tmp_path, "production")
    assert one.env["TF_DATA_DIR"] != two.env["TF_DATA_DIR"]
    assert one.bucket != two.bucket


def test_the_fingerprint_changes_with_a_variable_file_and_not_with_a_readme(tmp_path: Path) -> None:
    (tmp_path / "terraform" / "environments").mkdir(parents=True)
    (tmp_path / "terraform" / "environments" / "local.tfvars").write_text("a = 1")
    before = infra(tmp_path).fingerprint()
    (tmp_path / "terraform" / "README.md").write_text("words")
    assert infra(tmp_path).fingerprint() == before
    (tmp_path / "terraform" / "environments" / "local.tfvars").write_text("a = 2")
    assert infra(tmp_path).fingerprint() != before
