"""Writes what README.md says of the code: the diagram of what refers to what, the tables of variables and outputs. `nox -s docs` calls it.

The files are laid out by `terraform fmt`, which a gate checks; on that the expressions below rely.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
BLOCK = re.compile(r'^(\w+) "(\w+)"(?: "(\w+)")? \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
ATTRIBUTE = r"^  %s += (.*)$"
SHOWN = 4  # kinds of resources in a box of the diagram
ASIDE = re.compile(
    "kms|polic|attachment|access_block|ownership|versioning|encryption|log_group|alias"
)  # of others


def blocks(path: Path, kind: str) -> list[tuple[str, str, str]]:
    """Return first label, second label and body of each block of KIND in PATH."""
    return [(one[2], one[3] or "", one[4]) for one in BLOCK.finditer(path.read_text()) if one[1] == kind]


def attribute(body: str, name: str) -> str:
    """Return the attribute NAME of a block as it is written; an empty text where it has none."""
    found = re.search(ATTRIBUTE % name, body, re.MULTILINE)
    return found[1].strip() if found else ""


def diagram() -> str:
    """Return a flowchart: a box for each file with what it makes, and an arrow to each file whose resources it names."""
    made = {path.name: [one[:2] for one in blocks(path, "resource")] for path in sorted(FOLDER.glob("*.tf"))}
    lines = ["```mermaid", "flowchart LR"]
    for name, resources in made.items():
        kinds = list(dict.fromkeys(kind.removeprefix("aws_") for kind, _ in resources))
        if kinds:
            shown = sorted(kinds, key=lambda kind: bool(ASIDE.search(kind)))[:SHOWN]
            more = f"<br/>and {len(kinds) - SHOWN} more" if len(kinds) > SHOWN else ""
            lines.append(f'  {Path(name).stem}["<b>{name}</b><br/>{"<br/>".join(shown)}{more}"]')
    for name, resources in made.items():
        if not resources:
            continue
        for other, theirs in made.items():
            named = rf"\b(?:{'|'.join(f'{kind}.{label}' for kind, label in theirs)})\b"
            if other != name and theirs and re.search(named, (FOLDER / name).read_text()):
                lines.append(f"  {Path(name).stem} --> {Path(other).stem}")
    return "\n".join([*lines, "```"])


def variables() -> str:
    """Return the table of variables."""
    rows = ["| name | type | default | meaning |", "|---|---|---|---|"]
    for name, _, body in blocks(FOLDER / "variables.tf", "variable"):
        default = attribute(body, "default")
        said = "required" if not default else "see `variables.tf`" if default == "{" else f"`{default}`"
        meaning = attribute(body, "description").strip('"')
        rows.append(f"| `{name}` | `{attribute(body, 'type')}` | {said} | {meaning} |")
    return "\n".join(rows)


def outputs() -> str:
    """Return the table of outputs."""
    found = blocks(FOLDER / "outputs.tf", "output")
    rows = [f"| `{name}` | {attribute(body, 'description').strip(chr(34))} |" for name, _, body in found]
    return "\n".join(["| name | meaning |", "|---|---|", *rows])


def written(text: str) -> str:
    """Return TEXT with what stands between its marks written anew."""
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
