"""The import rule and the sizes of DESIGN, read from the source itself."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted(path for top in ("longshore", "application") for path in (ROOT / top).rglob("*.py"))
LONGSHORE = [path for path in PYTHON if path.is_relative_to(ROOT / "longshore")]

# Imports point from a room to those after it; rooms of one line know each other.
ORDER = (
    {"tasks", "__main__"},
    {"steps", "rollout", "gitlab", "report", "local", "eks_token"},
    {
        "commands",
        "runner",
        "cancellation",
        "redaction",
        "stream",
        "watchdog",
        "console",
        "console_live",
        "settings",
        "settings_check",
        "settings_graph",
        "settings_rollout",
    },
    {"command", "errors"},
)
STARTERS = {"longshore/runner.py", "longshore/local/node/init.py"}  # the second is pid 1 of the node
READERS = {
    "longshore/settings.py",
    "longshore/local/node/init.py",
    "longshore/eks_token.py",
}  # kubectl runs the token program at each call: it has no time to read settings
STARTING = {"fork", "forkpty", "posix_spawn", "posix_spawnp", "popen", "system"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """The modules that PATH imports, anywhere in it; names taken from a package count as its modules too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rank(room: str) -> int:
    return next((rank for rank, rooms in enumerate(ORDER) if room in rooms), -1)


def room_of(module: str) -> str:
    """`steps` of `longshore.steps.graph`; an empty text outside of longshore."""
    parts = module.split(".")
    return parts[1] if parts[0] == "longshore" and len(parts) > 1 else ""


def attributes(path: Path, owner: str) -> Iterator[tuple[str, int]]:
    """Each `owner.NAME` in PATH, and each `from owner import NAME`, with its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == owner:
            yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == owner:
            yield from ((alias.name, node.lineno) for alias in node.names)


def test_every_module_of_longshore_has_a_room() -> None:
    rooms = {path.relative_to(ROOT / "longshore").parts[0].removesuffix(".py") for path in LONGSHORE}
    assert rooms - {"__init__"} <= set.union(*ORDER)


@pytest.mark.parametrize("path", LONGSHORE, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    here = path.relative_to(ROOT / "longshore").parts[0].removesuffix(".py")
    if here == "__init__":
        assert not [module for module in imports(path) if room_of(module)]
        return
    backwards = [
        module for module in imports(path) if room_of(module) and 0 <= rank(room_of(module)) < rank(here)
    ]
    assert not backwards


@pytest.mark.parametrize("path", [path for path in LONGSHORE if path.parent.name == "commands"], ids=name_of)
def test_commands_only_describe(path: Path) -> None:
    for module in imports(path):
        assert module.split(".")[0] not in {"os", "subprocess", "datetime", "time", "shutil", "socket", "sh"}
        assert room_of(module) in {"", "command", "commands", "errors", "settings"}
    touched = {
        "exists",
        "is_file",
        "is_dir",
        "read_text",
        "read_bytes",
        "write_text",
        "resolve",
        "glob",
        "stat",
    }
    called = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not called & touched


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_only_the_runner_starts_processes(path: Path) -> None:
    if name_of(path) in STARTERS:
        return
    assert not {module.split(".")[0] for module in imports(path)} & {
        "subprocess",
        "sh",
        "multiprocessing",
        "pty",
    }
    started = [
        (name, line)
        for name, line in attributes(path, "os")
        if name in STARTING or name.startswith(("exec", "spawn"))
    ]
    assert not started


@pytest.mark.parametrize("path", LONGSHORE, ids=name_of)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    if name_of(path) not in READERS:
        assert not [
            (name, line) for name, line in attributes(path, "os") if name in {"environ", "getenv", "environb"}
        ]


def test_the_service_and_the_toolkit_do_not_know_each_other() -> None:
    for path in PYTHON:
        other = "application" if path in LONGSHORE else "longshore"
        assert other not in {module.split(".")[0] for module in imports(path)}, name_of(path)


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert not [name_of(path) for path in PYTHON if {path.stem, path.parent.name} & drawers]


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300


def code(path: Path) -> int:
    """The lines of PATH that hold code: neither blank, nor comment, nor docstring."""
    held: set[int] = set()
    skipped = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type not in skipped:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree(path)):
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            text = node.body[0]
            held -= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(held)


def test_longshore_stays_small() -> None:
    assert 0 < sum(map(code, LONGSHORE)) < 12000
