"""How moto is changed: by name, and loudly where the name is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Refused(Exception):
    """An answer that AWS itself would give: HTTP status, error code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


Mend = Callable[..., Any]


def wrap(owner: Any, name: str) -> Callable[[Mend], Mend]:
    """Put the decorated function in the place of OWNER.NAME; it gets the original as its first argument."""
    original = getattr(owner, name)  # an AttributeError here: moto changed, and the mend must be looked at

    def place(mend: Mend) -> Mend:
        def method(*args: Any, **kwargs: Any) -> Any:
            return mend(original, *args, **kwargs)

        method.__name__, method.__doc__ = name, mend.__doc__  # moto dispatches on names
        setattr(owner, name, method)
        return mend

    return place


def add(owner: Any, name: str) -> Callable[[Mend], Mend]:
    """Give OWNER a method NAME that moto lacks."""
    if hasattr(owner, name):
        raise AttributeError(f"moto now has {owner.__name__}.{name}: drop the mend")

    def place(method: Mend) -> Mend:
        method.__name__ = name
        setattr(owner, name, method)
        return method

    return place
