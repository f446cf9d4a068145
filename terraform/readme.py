"""Writes the generated parts of README.md: the diagram of references, the tables of variables and outputs.

`nox -s docs` calls it. The expressions below rely on the layout of `terraform fmt`, which a gate checks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent
BLOCK = re.compile(r'^(\w+) "(\w+)"(?: "(\w+)")? \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
DEFINED = re.compile(r'^(resource|data|variable) "(\w+)"(?: "(\w+)")?', re.MULTILINE)
LOCALS = re.compile(r"^locals \{\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^ *#.*$", re.MULTILINE)
REFERENCE = re.compile(r"(?<![\w.])(?:data\.)?\w+\.\w+")
ATTRIBUTE = r"^  %s += (.*)$"
SHOWN = 4  # kinds of resources in a box of the diagram
# Kinds that only configure others come last.
MINOR = re.compile("kms|polic|attachment|access_block|ownership|versioning|encryption|log_group|alias")


def blocks(path: Path, kind: str) -> list[tuple[str, str, str]]:
    """Return first label, second label and body of each block of KIND in PATH."""
    return [(match[2], match[3] or "", match[4]) for match in BLOCK.finditer(path.read_text()) if match[1] == kind]


def attribute(body: str, name: str) -> str:
    """Return the attribute NAME of a block as it is written, or an empty string."""
    match = re.search(ATTRIBUTE % name, body, re.MULTILINE)
    return match[1].strip() if match else ""


def sources() -> dict[str, str]:
    """Return the text of each *.tf file by its name, sorted."""
    return {path.name: path.read_text() for path in sorted(FOLDER.glob("*.tf"))}


def references(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """Return, for each file in TEXTS, the other files whose resources, data sources, locals and variables it uses."""
    defined: dict[str, str] = {}
    for name, text in texts.items():
        for kind, first, second in DEFINED.findall(text):
            prefix = {"resource": "", "data": "data.", "variable": "var."}[kind]
            defined[f"{prefix}{first}.{second}".rstrip(".")] = name
        for body in LOCALS.findall(text):
            defined.update((f"local.{key}", name) for key in re.findall(r"^  (\w+) +=", body, re.MULTILINE))
    used = {name: REFERENCE.findall(COMMENT.sub("", text)) for name, text in texts.items()}
    return {name: {defined[reference] for reference in used[name] if reference in defined} - {name} for name in texts}


def diagram() -> str:
    """Return a flowchart: a box for each file with its resources, and an arrow to each such file that it refers to."""
    lines = ["```mermaid", "flowchart LR"]
    boxes = {}
    for name in sources():
        kinds = dict.fromkeys(kind.removeprefix("aws_") for kind, _, _ in blocks(FOLDER / name, "resource"))
        if kinds:
            shown = sorted(kinds, key=lambda kind: bool(MINOR.search(kind)))[:SHOWN]
            more = f"<br/>and {len(kinds) - SHOWN} more" if len(kinds) > SHOWN else ""
            boxes[name] = Path(name).stem
            lines.append(f'  {boxes[name]}["<b>{name}</b><br/>{"<br/>".join(shown)}{more}"]')
    for name, others in references(sources()).items():
        lines += [f"  {boxes[name]} --> {boxes[other]}" for other in sorted(others) if {name, other} <= boxes.keys()]
    return "\n".join([*lines, "```"])


def variables() -> str:
    """Return the table of variables."""
    rows = ["| name | type | default | meaning |", "|---|---|---|---|"]
    for name, _, body in blocks(FOLDER / "variables.tf", "variable"):
        value = attribute(body, "default")
        default = "required" if not value else "see `variables.tf`" if value == "{" else f"`{value}`"
        meaning = attribute(body, "description").strip('"')
        rows.append(f"| `{name}` | `{attribute(body, 'type')}` | {default} | {meaning} |")
    return "\n".join(rows)


def outputs() -> str:
    """Return the table of outputs."""
    rows = [
        f"| `{name}` | {attribute(body, 'description').strip(chr(34))} |"
        for name, _, body in blocks(FOLDER / "outputs.tf", "output")
    ]
    return "\n".join(["| name | meaning |", "|---|---|", *rows])


def written(text: str) -> str:
    """Return TEXT with its generated parts up to date."""
    for part in (diagram, variables, outputs):
        mark = f"<!-- {part.__name__}: written by readme.py -->\n"
        before, _, rest = text.partition(mark)
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise SystemExit(f"README.md has no {mark!r} with an end")
        text = f"{before}{mark}\n{part()}\n\n{end}{after}"
    return text


if __name__ == "__main__":
    readme = FOLDER / "README.md"
    readme.write_text(written(readme.read_text()))
