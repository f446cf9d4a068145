"""Stands for GitHub's actions that keep a job's artifacts and hand them on.

It runs by itself, in a job, with the standard library alone. As GitHub does it, an artifact's files are relative to
what their paths have in common.
"""

from __future__ import annotations

import shutil
import sys
from os.path import commonpath
from pathlib import Path


def upload(kept: Path, paths: list[str], absent: str) -> int:
    """Keep the files at PATHS below the working folder as KEPT; `error` as ABSENT fails where there is none."""
    found = [Path(path) for path in paths if Path(path).exists()]
    if not found:
        print(f"No files were found with the provided path: {', '.join(paths)}", file=sys.stderr)
        return 1 if absent == "error" else 0
    root = Path(commonpath([Path(path) if Path(path).is_dir() else Path(path).parent for path in paths]))
    for path in found:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                target = kept / file.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)  # not its mode, which an artifact does not keep
    return 0


def download(kept: Path, folder: Path) -> int:
    """Put the files of KEPT into FOLDER."""
    if not kept.is_dir():
        print(f"Unable to download artifact(s): Artifact not found for name: {kept.name}", file=sys.stderr)
        return 1
    shutil.copytree(kept, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return 0


def main(argv: list[str]) -> int:
    """Take `upload STORE ARTIFACT ABSENT PATHS` or `download STORE ARTIFACT FOLDER`; PATHS has one a line."""
    kept = Path(argv[1]) / argv[2]
    if argv[0] == "download":
        return download(kept, Path(argv[3]))
    return upload(kept, [line.strip() for line in argv[4].splitlines() if line.strip()], argv[3])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
