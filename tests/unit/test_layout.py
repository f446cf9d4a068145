"""The layers and sizes of DESIGN, read from the source itself."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted(path for top in ("longshore", "localcloud", "application") for path in (ROOT / top).rglob("*.py"))
OURS = [path for path in PYTHON if not path.is_relative_to(ROOT / "application")]
LONGSHORE = [path for path in OURS if path.is_relative_to(ROOT / "longshore")]

# From top to bottom. A module imports from its own room and from the layers below it.
LAYERS = (
    {"longshore.tasks", "longshore.__main__"},
    {"localcloud"},
    {"longshore.doctor", "longshore.rollout"},
    {"longshore.gates", "longshore.infra", "longshore.image"},
    {"longshore.graph", "longshore.kubernetes", "longshore.report"},
    {"longshore.snapshot", "longshore.pipeline"},
    {"longshore.aws", "longshore.commands"},
    {"longshore.settings"},
    {"longshore.console", "longshore.process", "longshore.claim"},
    {"longshore.files"},
    {"longshore.errors"},
)
DOOR = "longshore.tasks.local_cloud"  # the one module that knows the local environment
# The others run in the node: its first process, and what gives the kernel its rules.
STARTERS = {"longshore/process/runner.py", "localcloud/node/init.py", "localcloud/node/policies.py"}
READERS = {
    "longshore/settings/load.py",
    "localcloud/node/init.py",
    "longshore/kubernetes/eks_token.py",  # kubectl runs it at each call: it has no time to read settings
    "longshore/image/injected/sitecustomize.py",  # runs in the application's container, where nothing else of ours is
}
STARTING = {"fork", "forkpty", "posix_spawn", "posix_spawnp", "popen", "system"}
# Imported where they are used, since a run with nothing to do has no time for them; two modules hold all of theirs.
HEAVY = {"boto3", "botocore", "bcrypt", "cryptography", "dns", "jinja2", "rich", "sh", "xml", "yaml"}
HEAVY_OF_OURS = {"localcloud.certificates", "longshore.console"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in OURS}


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


def known(name: str) -> str:
    """The module of ours that NAME is, or is in; an empty text for others."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def room_of(module: str) -> str:
    """`longshore.graph` of `longshore.graph.steps`; the local cloud is one room."""
    parts = module.split(".")
    return "localcloud" if parts[0] == "localcloud" else ".".join(parts[:2])


def layer(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


def circle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle among EDGES, where there is one."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as problem:
        return list(problem.args[1])
    return []


def edges_of(modules: Mapping[str, Path]) -> dict[str, set[str]]:
    return {name: {known(used) for used in imports(path)} - {"", name} for name, path in modules.items()}


def attributes(path: Path, owner: str) -> Iterator[tuple[str, int]]:
    """Each `owner.NAME` in PATH, and each `from owner import NAME`, with its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == owner:
            yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == owner:
            yield from ((alias.name, node.lineno) for alias in node.names)


def test_every_module_is_in_a_room() -> None:
    assert {room_of(module) for module in MODULES} - {"longshore"} == set.union(*LAYERS)


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    here = room_of(module_of(path))
    used = {room_of(module) for name in imports(path) if (module := known(name))} - {"longshore", here}
    if here == "longshore":  # the package itself
        assert not used
        return
    assert not {room for room in used if layer(room) <= layer(here)}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not circle(edges_of(MODULES))


@pytest.mark.parametrize(
    "text",
    [
        "from longshore.graph.scheduler import Scheduler\n",
        "def later():\n    from longshore.graph import scheduler\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from longshore.graph.scheduler import Report\n",
    ],
)
def test_a_circle_that_is_added_is_found(tmp_path: Path, text: str) -> None:
    added = tmp_path / "steps.py"
    added.write_text(MODULES["longshore.graph.steps"].read_text() + text)
    edges = edges_of({**MODULES, "longshore.graph.steps": added})
    assert {"longshore.graph.steps", "longshore.graph.scheduler"} <= set(circle(edges))


def test_one_module_imports_the_local_cloud() -> None:
    users = {module_of(path) for path in LONGSHORE for name in imports(path) if name.startswith("localcloud")}
    assert users == {DOOR}


def test_only_the_world_asks_where_an_environment_runs() -> None:
    asking = {
        module_of(path)
        for path in LONGSHORE
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "local" and ast.unparse(node.value).endswith("environment")
    }
    assert asking == {"longshore.tasks.world", "longshore.tasks.doctor"}  # the doctor asks whether any is local


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_only_tasks_and_heavy_libraries_are_imported_late(path: Path) -> None:
    late = [
        name
        for function in ast.walk(tree(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)])
    ]
    if name_of(path) == "longshore/image/injected/sitecustomize.py":
        return  # every Python of a container loads it
    if not module_of(path).startswith("longshore.tasks"):  # `invoke --list` imports all of these
        assert {name.partition(".")[0] for name in set(late) - HEAVY_OF_OURS} <= HEAVY


@pytest.mark.parametrize("path", [path for path in LONGSHORE if path.parent.name == "commands"], ids=name_of)
def test_commands_only_describe(path: Path) -> None:
    for module in imports(path):
        assert module.split(".")[0] not in {"os", "subprocess", "datetime", "time", "shutil", "socket", "sh"}
        if ours := known(module):
            assert ours in {"longshore.process.command", "longshore.errors"} or room_of(ours) == "longshore.settings"
    touched = {"exists", "is_file", "is_dir", "read_text", "read_bytes", "write_text", "resolve", "glob", "stat"}
    called = {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not called & touched


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_only_the_runner_starts_processes(path: Path) -> None:
    if name_of(path) in STARTERS:
        return
    assert not {module.split(".")[0] for module in imports(path)} & {"subprocess", "sh", "multiprocessing", "pty"}
    started = [
        (name, line) for name, line in attributes(path, "os") if name in STARTING or name.startswith(("exec", "spawn"))
    ]
    assert not started


@pytest.mark.parametrize("name", ["__init__", "node/__init__", "node/init", "node/policies", "node/firewall"])
def test_what_runs_in_the_node_imports_the_standard_library_alone(name: str) -> None:
    used = {module.partition(".")[0] for module in imports(ROOT / "localcloud" / f"{name}.py")}
    ours = {known(module) for module in imports(ROOT / "localcloud" / f"{name}.py")} - {""}
    assert used - {"localcloud"} <= sys.stdlib_module_names
    assert ours <= {"localcloud.node.firewall"}


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    if name_of(path) not in READERS:
        assert not [(name, line) for name, line in attributes(path, "os") if name in {"environ", "getenv", "environb"}]


def test_the_service_and_the_toolkit_do_not_know_each_other() -> None:
    for path in PYTHON:
        others = {"application"} if path in OURS else {"longshore", "localcloud"}
        assert not others & {module.split(".")[0] for module in imports(path)}, name_of(path)


@pytest.mark.parametrize("path", LONGSHORE, ids=name_of)
def test_text_is_utf_8_whatever_the_shells_locale(path: Path) -> None:
    """Without `encoding`, Python takes the locale's: with Latin-1, longshore.toml differs from its own commit."""
    openers = {"open", "fdopen", "read_text", "write_text"}
    others = {"os", "webbrowser"}  # whose `open` is another one
    unsaid = []
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if name not in openers or (name == "open" and owner in others) or "opener" in owner:
            continue
        said = {word.arg for word in call.keywords}
        binary = any(isinstance(arg, ast.Constant) and "b" in str(arg.value) for arg in call.args)
        if "encoding" not in said and not (binary and name in ("open", "fdopen")):
            unsaid.append(f"{call.lineno}: {ast.unparse(call)}")
    assert not unsaid


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    assert not [name_of(path) for path in PYTHON if {path.stem, path.parent.name} & drawers]


@pytest.mark.parametrize("path", PYTHON, ids=name_of)
def test_a_module_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 300


def test_the_formatter_has_its_way_everywhere() -> None:
    marks = [f"# fmt: {word}" for word in ("skip", "off")]
    assert not [name_of(path) for path in PYTHON for mark in marks if mark in path.read_text()]


def code(path: Path) -> int:
    """The lines of PATH that hold code: neither blank, nor comment, nor docstring."""
    held: set[int] = set()
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type not in skipped:
            held.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            text = node.body[0]
            held -= set(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(held)


@pytest.mark.parametrize(("package", "most"), [("longshore", 17730), ("localcloud", 6635)])
def test_toolkit_and_local_cloud_stay_small(package: str, most: int) -> None:
    assert 0 < sum(code(path) for path in OURS if path.is_relative_to(ROOT / package)) < most
