"""What Terraform's events and the settings come to."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from longshore.command import Command
from longshore.errors import CommandFailed, DiskFull, Precondition, StateUnknown
from longshore.runner import Listener, Result, Runner
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


class Answers(Runner):
    """A runner whose every command says LINES and ends with CODE."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__({})
        self.code, self.lines = code, lines

    def run(self, command: Command, *, on_line: Listener | None = None, check: bool = True) -> Result:
        for line in self.lines if on_line else ():
            on_line(line)
        return Result(exit_code=self.code, stdout="", tail="\n".join(self.lines), seconds=0, log=None)


def error(message: str) -> str:
    return event("diagnostic", **{"@level": "error", "@message": message})


LOST = error("Error: Error releasing the state lock")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([error("Error: no such zone")], "Terraform stopped after 0 of 2 changes"),
        ([LOST], "the lock of local's state was lost while Terraform made 0 of 2 changes"),
        ([error("Error: saving state"), LOST], "Terraform stopped after 0 of 2 changes"),
    ],
)
def test_an_apply_that_fails_says_how_and_nothing_counts_as_applied(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    one = replace(infra(tmp_path), runner=Answers(1, *lines))
    one.memory.put("infra", fingerprint=one.fingerprint())
    one.memory.put("outputs", url="https://shop.localhost:8443")
    assert one.settled()
    with pytest.raises(StateUnknown, match=words):
        one._apply(one.plan_file, 2, lambda *said: None)
    assert not one.settled()


def test_what_an_apply_came_to_may_be_forgotten_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, problem = infra(tmp_path), OSError(errno.ENOSPC, "No space left on device")

    def fail(self: Infra) -> None:
        raise problem

    monkeypatch.setattr(Infra, "read_outputs", fail)
    assert "the disk is full" in one._remember()
    problem = OSError(errno.EACCES, "Permission denied")
    with pytest.raises(PermissionError):
        one._remember()


@pytest.mark.parametrize(
    ("text", "kind"), [("write /x: no space\n  left on device", DiskFull), ("no bucket", Precondition)]
)
def test_a_full_disk_is_told_from_other_reasons_for_which_terraform_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, kind: type[Precondition]
) -> None:
    (tmp_path / "terraform" / "environments").mkdir(parents=True)
    (tmp_path / "terraform" / "environments" / "local.tfvars").touch()
    one = infra(tmp_path)

    def fail(self: Runner, command: Command) -> None:
        raise CommandFailed("terraform", 1, tail=text)

    monkeypatch.setattr(Runner, "run", fail)
    with pytest.raises(Precondition) as caught:
        one.init()
    assert type(caught.value) is kind
