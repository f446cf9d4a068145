"""What is built once per machine: Go programs from their modules, and the toolchain that compiles them."""

from __future__ import annotations

from collections.abc import Callable

# progress(text, done, total); None where a number is not known
Progress = Callable[[str, int | None, int | None], None]
