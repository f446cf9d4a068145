"""The layer that Longshore puts on top of an application's image: its module, and the variable that has Python load it.

The application's own Dockerfile is what it is, byte for byte: a copy of it is built, in which the last stage goes on.
So CMD, ENTRYPOINT, user and environment are its own, and a builder needs no second run.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from longshore.snapshot.context import GENERATED, IGNORE

NAME = "sitecustomize.py"
MODULE = Path(__file__).with_name("injected")
CONTEXT = "longshore-contract"  # how the builder knows MODULE
FOLDER = "/opt/longshore"
ADDED = f"""

# Added by Longshore.
COPY --from={CONTEXT} {NAME} {FOLDER}/
ENV PYTHONPATH={FOLDER}${{PYTHONPATH:+:$PYTHONPATH}}
"""


def write(folder: Path, context: Path, name: str, *, made: str = "", add: bool = True) -> tuple[Path, dict[str, Path]]:
    """Write the Dockerfile NAME of CONTEXT into FOLDER, with the layer if it is to be ADDed, or the one that was MADE.

    Return where it is, and the folders that it copies from, by name. What it leaves out of its context stays out.
    """
    copy, module = folder / Path(name).name, folder / "module"
    theirs = made.encode() or (context / name).read_bytes()
    copy.write_bytes(theirs.rstrip() + ADDED.encode() if add else theirs)
    ignore = context / f"{name}{IGNORE}"
    if ignore.exists():
        copy.with_name(ignore.name).write_bytes(ignore.read_bytes())
    elif made and not (context / IGNORE).exists():
        copy.with_name(ignore.name).write_text(GENERATED, encoding="utf-8")
    if not add:
        return copy, {}
    module.mkdir()
    (module / NAME).write_bytes((MODULE / NAME).read_bytes())
    (module / NAME).chmod(0o644)
    return copy, {CONTEXT: module}


def fingerprint() -> str:
    """Return what tells one version of the layer from another."""
    return hashlib.sha256(ADDED.encode() + (MODULE / NAME).read_bytes()).hexdigest()[:16]
