"""How moto is patched: by name, failing at import if moto no longer has that name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Refused(Exception):
    """An error that AWS itself would answer: HTTP status, error code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


Patch = Callable[..., Any]
PATCHES: dict[tuple[str, str], tuple[str, ...]] = {}  # (service, what is patched) -> operations that it affects


def register(service: str, target: str, operations: tuple[str, ...]) -> None:
    """Register that we answer OPERATIONS of SERVICE: their inputs are checked, and their answers are tested."""
    PATCHES[service, target] = operations


def _register(owner: Any, name: str, operations: tuple[str, ...]) -> None:
    module = getattr(owner, "__module__", owner.__name__)  # moto.SERVICE.models; a class or the module itself
    service = module.split(".")[1].replace("servicequotas", "service-quotas")
    register(service, f"{owner.__name__}.{name}", operations or (name,))


def wrap(owner: Any, name: str, *operations: str) -> Callable[[Patch], Patch]:
    """Replace OWNER.NAME by the decorated function, which gets the original as its first argument.

    OPERATIONS, in boto3's spelling, are those whose answers it affects; by default the one called NAME.
    """
    original = getattr(owner, name)  # an AttributeError here: moto has changed, and this patch needs a look
    _register(owner, name, operations)

    def install(patch: Patch) -> Patch:
        def method(*args: Any, **kwargs: Any) -> Any:
            return patch(original, *args, **kwargs)

        method.__name__, method.__doc__ = name, patch.__doc__  # moto dispatches on names
        setattr(owner, name, method)
        return patch

    return install


def add(owner: Any, name: str) -> Callable[[Patch], Patch]:
    """Add the decorated function to OWNER as the method NAME, which moto lacks."""
    if hasattr(owner, name):
        raise AttributeError(f"moto now has {owner.__name__}.{name}: drop our patch")
    _register(owner, name, ())

    def install(method: Patch) -> Patch:
        method.__name__ = name
        setattr(owner, name, method)
        return method

    return install
