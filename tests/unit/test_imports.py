"""What tests import of the product is there, also in those that only run with real tools or on the whole."""

from __future__ import annotations

import ast
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted(path for name in ("integration", "e2e") for path in (ROOT / "tests" / name).rglob("*.py"))
OURS = ("longshore", "localcloud", "application", "tests")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_imported_exists(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in OURS:
            module = str(node.module)
            defined = names(module) if module.startswith("tests") else dir(importlib.import_module(module))
            for name in (alias.name for alias in node.names):
                assert name in defined or find_spec(f"{module}.{name}"), f"{module} has no {name}"


def test_what_tests_share_is_in_no_test_module() -> None:
    """A test module can be split or renamed without a look at the others."""
    paths = sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths if "data" not in path.parts}
    assert [
        f"{path.relative_to(ROOT)} imports {node.module}"
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).rpartition(".")[2].startswith("test_")
    ] == []


def names(module: str) -> set[str]:
    """The names that MODULE, which may start programs when it is imported, defines or imports."""
    spec = find_spec(module)
    assert spec, f"there is no {module}"
    if not spec.origin:
        return set()
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    bound = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    return bound
