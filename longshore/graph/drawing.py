"""The graph as text: a tree for a terminal, a description for Graphviz."""

from __future__ import annotations

from longshore.graph.steps import Graph

LAST, NEXT, BAR, GAP = "└─ ", "├─ ", "│  ", "   "


def tree(graph: Graph) -> list[str]:
    """Return the lines of a tree: what nothing needs at the left, below each step what it needs.

    A step's own needs are shown once.
    """
    needed = {need for step in graph.steps.values() for need in step.needs}
    lines: list[str] = []
    shown: set[str] = set()

    def add(name: str, lead: str, branch: str) -> None:
        step = graph.steps[name]
        again = name in shown and bool(step.needs)
        lines.append(
            f"{lead}{branch}{name:<{max(1, 34 - len(lead + branch))}} {'(see above)' if again else step.title}".rstrip()
        )
        if again:
            return
        shown.add(name)
        below = lead + {LAST: GAP, NEXT: BAR}.get(branch, "")
        for need in step.needs:
            add(need, below, LAST if need == step.needs[-1] else NEXT)

    for name in graph.steps:
        if name not in needed:
            add(name, "", "")
    return [*lines, *graph.left_out]


def dot(graph: Graph) -> list[str]:
    """Return a description for Graphviz, groups as boxes around their steps."""
    lines = ["digraph steps {", "  rankdir=LR;", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for group in dict.fromkeys(step.group for step in graph.steps.values() if step.group):
        names = " ".join(f'"{name}";' for name in graph.group(group))
        lines.append(f'  subgraph "cluster_{group}" {{ label="{group}"; {names} }}')
    for group, why in graph.off.items():
        lines.append(f'  "{group}" [label="{group} is off", style=dashed, tooltip="{_quoted(why)}"];')
    for step in graph.steps.values():
        lines.append(f'  "{step.name}" [tooltip="{_quoted(step.title)}"];')
        lines += [f'  "{need}" -> "{step.name}";' for need in step.needs]
    return [*lines, "}"]


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
