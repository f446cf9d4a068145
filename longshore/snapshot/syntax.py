"""Programs of an application, as a parser reads them: none is run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator

BLOCKS = (ast.If, ast.Try, ast.With, ast.ExceptHandler)  # what is in them is done as well, or may be


def parsed(text: str) -> ast.Module:
    """Return the program TEXT. Raises ValueError where it is none, or one for a newer Python than this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are for its authors
        try:
            return ast.parse(text)
        except (SyntaxError, RecursionError, MemoryError) as problem:
            raise ValueError(str(problem)) from None


def at_import(content: str) -> str:
    """Return what CONTENT does when it is imported, each statement and each name at the beginning of its line."""
    try:
        return "\n".join(
            line for each in _statements(parsed(content).body) for line in (ast.unparse(each), *_named(each))
        )
    except ValueError:
        return content


def _named(statement: ast.stmt) -> Iterator[str]:
    """Yield what STATEMENT assigns as assignments to one name each, where it has several names at once.

    Which of the things that a call returns is the application, only a name says: `app, db = create_app()`.
    """
    if not isinstance(statement, ast.Assign):
        return
    value = statement.value
    for target in statement.targets:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            pairs = zip(target.elts, value.elts, strict=True)
            yield from (f"{ast.unparse(name)} = {ast.unparse(each)}" for name, each in pairs)
        elif isinstance(target, ast.Tuple | ast.List):
            names = [each.id for each in target.elts if isinstance(each, ast.Name)]
            yield from (f"{name} = {ast.unparse(value)}" for name in names if name in ("app", "application"))


def _statements(nodes: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    for node in nodes:
        runs_as_program = isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
        if isinstance(node, BLOCKS) and not runs_as_program:
            yield from _statements(ast.iter_child_nodes(node))
        elif isinstance(node, ast.stmt):
            yield node


def returns_several(function: str, content: str) -> bool:
    """Return whether the FUNCTION in CONTENT returns a tuple somewhere."""
    try:
        found = [each for each in parsed(content).body if isinstance(each, ast.FunctionDef) and each.name == function]
    except ValueError:
        return False
    inside = (statement for each in found for statement in _statements(each.body))
    return any(isinstance(each, ast.Return) and isinstance(each.value, ast.Tuple) for each in inside)


def needs_an_argument(arguments: str) -> bool:
    """Return whether a function with ARGUMENTS cannot be called without any."""
    try:
        taken = parsed(f"def f({arguments}\n): ...").body[0].args  # type: ignore[attr-defined]
    except ValueError:
        return True
    return len(taken.posonlyargs + taken.args) > len(taken.defaults) or None in taken.kw_defaults
