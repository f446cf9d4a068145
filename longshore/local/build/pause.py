"""The first process of every pod."""

from __future__ import annotations

from pathlib import Path

from longshore.local.build.go import Program

PAUSE = Program(
    name="pause",
    title="pause",
    source=Path(__file__).with_name("pause"),
    packages=(".",),
    binaries=("pause",),
)
