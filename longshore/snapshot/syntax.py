"""Programs of an application: they are read, and never run."""

from __future__ import annotations

import ast
import warnings


def parsed(text: str) -> ast.Module:
    """Return the program TEXT. Raises ValueError where it is none, or one for a newer Python than this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are for its authors
        try:
            return ast.parse(text)
        except (SyntaxError, RecursionError, MemoryError) as problem:
            raise ValueError(str(problem)) from None
