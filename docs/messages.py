"""Prints everything a user may read on one page: help of each command, and each sentence and hint in the source.

    python docs/messages.py > messages.md

What is filled in at run time stands in braces. Read it from top to bottom, as a stranger would.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SPOKEN = {"line", "progress", "say", "_say", "finished", "warn", "_warn", "print"}  # calls whose texts are shown
TITLES = {"title", "sentence", "hint", "detail", "note", "reason"}  # arguments and names of what is shown


def text(node: ast.expr) -> str:
    """The text of NODE as the source has it; an empty one where it is no text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{…}" for part in node.values)
    if isinstance(node, ast.BinOp):
        return text(node.left) + text(node.right)
    return " | ".join(filter(None, (text(node.body), text(node.orelse)))) if isinstance(node, ast.IfExp) else ""


def called(node: ast.Call) -> str:
    """The name of what NODE calls."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def spoken(tree: ast.Module, failures: set[str]) -> Iterator[tuple[int, str]]:
    """Each text that TREE shows, with its line.

    FAILURES are the names of the classes that are raised with a sentence.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = called(node)
            if name in failures | SPOKEN or name in {"Trouble", "Verdict", "Result", "require_free"}:
                yield from ((arg.lineno, text(arg)) for arg in node.args)
            yield from (
                (word.value.lineno, f"{word.arg}: {text(word.value)}") for word in node.keywords if word.arg in TITLES
            )
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id.lower() in TITLES for target in targets):
                yield node.value.lineno, text(node.value)


def failures(trees: list[ast.Module]) -> set[str]:
    """The classes that end up as a sentence on the console: Failure and all that are derived from it."""
    names, size = {"Failure"}, 0
    while size != len(names):
        size = len(names)
        for tree in trees:
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.ClassDef)
                    and {base.id for base in node.bases if isinstance(base, ast.Name)} & names
                ):
                    names.add(node.name)
    return names


def main() -> None:
    """Print the page."""
    from longshore.tasks import collection

    print("# Commands\n")
    tasks = collection()
    for name in sorted(tasks.task_names):
        task = tasks[name]
        print(f"- **{name}**: {(task.__doc__ or '').strip()}")
        print("".join(f"  - --{option}: {words}\n" for option, words in task.help.items()), end="")
    paths = sorted(path for top in ("longshore", "localcloud", "application") for path in (ROOT / top).rglob("*.py"))
    trees = {path: ast.parse(path.read_text()) for path in paths}
    raised = failures(list(trees.values()))
    for path, tree in trees.items():
        lines = sorted(
            {
                (line, words)
                for line, words in spoken(tree, raised)
                if len(words.removesuffix(": ")) > 3 and not words.endswith(": ")
            }
        )
        if lines:
            print(f"\n# {path.relative_to(ROOT)}\n")
            print("".join(f"- {line}: {' '.join(words.split())}\n" for line, words in lines), end="")


if __name__ == "__main__":
    main()
