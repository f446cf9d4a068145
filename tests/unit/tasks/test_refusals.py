"""What is asked and refused before any step of a deployment runs, and which steps are guarded."""

from __future__ import annotations

import ast
import errno
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.exceptions import Exit

from longshore.console import terminal
from longshore.errors import BadInput
from longshore.graph.steps import Graph
from longshore.process import logs
from longshore.process.cancellation import SIGNALS
from longshore.process.runner import Runner
from longshore.settings import load as configuration
from longshore.snapshot.snapshot import Snapshot
from longshore.tasks import catalogue, rehearse
from longshore.tasks.session import Session
from longshore.tasks.world import World
from tests.unit.sources import snapshot_of
from tests.unit.tasks.shop import ROOT, graph


@pytest.mark.parametrize(
    ("name", "applies", "title"),
    [
        ("local", True, "apply terraform/"),
        ("local", False, "read what terraform/ made"),
        ("production", True, "read what terraform/ made"),
    ],
)
def test_only_a_deploy_applies_and_only_where_that_needs_no_review(
    project: Path, name: str, applies: bool, title: str
) -> None:
    snapshot = snapshot_of(project)
    world = World(configuration.load(project, {"HOME": str(project)}), name, Runner({}), lambda: snapshot)
    assert catalogue.graph(world, applies=applies).steps["infra"].title == title


def test_every_step_that_changes_an_environment_has_the_guard(project: Path) -> None:
    whole, world = graph(project)
    scoped = [step for step in whole.steps.values() if step.scope]
    assert {step.name for step in scoped} == {"infra", "image", "release"}
    assert all(step.guard == world.guard for step in scoped)


def test_every_work_on_an_environment_has_a_guard() -> None:
    """`infra.…` and `rollback` are steps; `validate` and `cost` read files, `local.…` is about this machine."""
    for module in ("infra", "release"):
        tree = ast.parse((ROOT / "longshore" / "tasks" / f"{module}.py").read_text())
        calls = [
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "session.work"
        ]
        assert calls
        unguarded = [ast.unparse(call.args[1]) for call in calls if "guard" not in {word.arg for word in call.keywords}]
        assert unguarded in ([], ["'validate'", "'cost'"])


@pytest.mark.parametrize("key", ["path", "dockerfile"])
def test_a_service_that_is_not_there_is_bad_input(project: Path, tmp_path: Path, key: str) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(project, copy)
    settings = copy / "longshore.toml"
    text = settings.read_text(encoding="utf-8")
    edited = re.sub(rf'^{key} = ".*?"', f'{key} = "nope"', text, flags=re.MULTILINE)
    assert edited != text
    settings.write_text(edited, encoding="utf-8")
    for find in (answers, gates):
        with pytest.raises(BadInput, match=f"{key} under .application. is nope, which the sources do not have"):
            find(snapshot_of(copy), copy)


def test_a_project_without_a_service_has_gates_and_no_image(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(project, copy)
    shutil.rmtree(copy / "application")
    assert "ruff" in gates(snapshot_of(copy), copy).steps
    with pytest.raises(BadInput, match="which the sources do not have"):
        answers(snapshot_of(copy), copy)


def test_the_service_is_that_of_the_runs_sources_whatever_lies_in_the_folder(project: Path, tmp_path: Path) -> None:
    """A protected environment gets the commit; git may ignore what is there."""
    copy, sources = tmp_path / "shop", snapshot_of(project)
    shutil.copytree(project, copy)
    settings = (copy / "longshore.toml").read_text(encoding="utf-8")
    (copy / "longshore.toml").write_text(settings.replace('path = "application"', 'path = "application/api"'))
    (copy / "application" / "api").mkdir()
    for find in (answers, gates):
        with pytest.raises(BadInput, match=r"path under .application. is application/api, which the sources do not"):
            find(sources, copy)
    (copy / "longshore.toml").write_text(settings)
    shutil.rmtree(copy / "application")
    (copy / "Dockerfile").unlink()
    answers(sources, copy)
    assert "ruff" in gates(sources, copy).steps


def answers(snapshot: Snapshot, root: Path) -> None:
    catalogue.require_answers(
        World(configuration.load(root, {"HOME": str(root)}), "local", Runner({}), lambda: snapshot)
    )


def gates(snapshot: Snapshot, root: Path) -> Graph:
    return catalogue.gates(configuration.load(root, {}), Runner({}), lambda: snapshot)


def test_the_checks_of_a_protected_environment_cannot_be_skipped(project: Path) -> None:
    _, world = graph(project)
    with pytest.raises(BadInput, match="production is protected: its checks cannot be skipped"):
        catalogue.refuse_skipped_checks(world)


def without_a_server(root: Path) -> None:
    (root / "Dockerfile").unlink()


def without_a_command(root: Path) -> None:
    with (root / "longshore.toml").open("a") as file:
        file.write('\n[workloads.mail]\nkind = "worker"\n')


@pytest.mark.parametrize(
    ("spoil", "said"), [(without_a_server, "to serve"), (without_a_command, r"\[workloads.mail\]")]
)
def test_what_nobody_can_build_or_run_is_refused_before_anything_is(
    project: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    root = Path(shutil.copytree(project, tmp_path / "shop"))
    spoil(root)
    with pytest.raises(BadInput, match=said):
        catalogue.require_answers(graph(root)[1])


def test_every_task_that_releases_asks_that_first() -> None:
    """Of those that run the whole graph; parts of it, and what only shows it, do not build or release."""
    whole = re.compile(r"session\.run\(\s*catalogue\.graph\((?!.*\)\.only\()|report = session\.run\(graph,")
    for path in (ROOT / "longshore" / "tasks").glob("*.py"):
        for function in ast.walk(ast.parse(text := path.read_text())):
            source = ast.get_source_segment(text, function) or "" if isinstance(function, ast.FunctionDef) else ""
            if whole.search(source):
                assert "catalogue.require_answers(" in source, f"{path.stem}.{function.name}"


@pytest.mark.parametrize(
    ("provider", "event", "hint"),
    [
        ("x", "push", "--provider is one of gitlab, github"),
        ("gitlab", "x", "--event is one of push, merge_request, closed, schedule"),
    ],
)
def test_a_pipeline_that_cannot_be_run_has_a_hint(provider: str, event: str, hint: str) -> None:
    with pytest.raises(BadInput, match=r"ci\.run knows no .* 'x'") as refused:
        rehearse.run(Session(), "local", provider, event, "", "")
    assert refused.value.hint == hint


def test_a_working_folder_that_cannot_be_read_is_a_precondition(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(folder: Path) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.chdir(project)
    monkeypatch.setattr(logs, "folder", refused)
    with pytest.raises(Exit) as caught, Session():
        pass
    assert caught.value.code == 3
    assert "cannot be used: Permission denied" in capsys.readouterr().out


def test_a_ctrl_c_while_a_command_is_loaded_ends_it_with_a_word(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(terminal, "prepare_streams", lambda: os.kill(os.getpid(), signal.SIGINT))
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(Exit) as caught, Session():
            pass
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert caught.value.code == 130
    assert "interrupted by Ctrl-C" in capsys.readouterr().out
