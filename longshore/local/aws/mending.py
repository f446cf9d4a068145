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
MENDS: dict[tuple[str, str], tuple[str, ...]] = {}  # (service, what is mended) -> operations it has a part in


def note(service: str, what: str, operations: tuple[str, ...]) -> None:
    """Remember that the answers to OPERATIONS of SERVICE are ours: their inputs are checked, their shapes tested."""
    MENDS[service, what] = operations


def _note(owner: Any, name: str, operations: tuple[str, ...]) -> None:
    module = getattr(owner, "__module__", owner.__name__)  # moto.SERVICE.models; a class or the module itself
    note(module.split(".")[1], f"{owner.__name__}.{name}", operations or (name,))


def wrap(owner: Any, name: str, *operations: str) -> Callable[[Mend], Mend]:
    """Put the decorated function in the place of OWNER.NAME; it gets the original as its first argument.

    OPERATIONS are those, as boto3 names them, whose answers it changes; by default the one that is called NAME.
    """
    original = getattr(owner, name)  # an AttributeError here: moto changed, and the mend must be looked at
    _note(owner, name, operations)

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
    _note(owner, name, ())

    def place(method: Mend) -> Mend:
        method.__name__ = name
        setattr(owner, name, method)
        return method

    return place
