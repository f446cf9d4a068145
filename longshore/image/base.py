"""The base image: which bytes its name stands for today."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from longshore.errors import Precondition
from longshore.files import Memory
from longshore.image import registry
from longshore.image.registry import Reference, Unreachable

FRESH = 86400.0  # seconds: a new base is found within a day, and until then nobody is asked


def pinned(base: str) -> dict[str, str]:
    """Return what replaces the image that the Dockerfile names, so that it is BASE (NAME@DIGEST, or a name alone)."""
    name, known, _ = base.partition("@")
    return {name: base} if known and name else {}


class Base:
    """The image that the Dockerfile begins with, called NAME. What its registry says is kept in MEMORY for a day.

    LOGIN returns the login of a registry (`user:password` in base64), or an empty text.
    """

    def __init__(self, name: str, memory: Memory, login: Callable[[str], str]) -> None:
        self.name, self._memory, self._login = name, memory, login

    def __call__(self) -> str:
        """Return the name with the digest, or as it was last known, or the name alone: nobody could be asked."""
        return self._pinned

    @cached_property
    def _pinned(self) -> str:
        if "@" in self.name:
            return self.name
        known = self._memory.get("base") or self._handed_on
        digest = str(known.get("digest", "")) if known.get("image") == self.name else ""
        asked = known.get("asked", 0.0)
        if digest and isinstance(asked, int | float) and 0 <= time.time() - asked < FRESH:
            return f"{self.name}@{digest}"
        image = Reference.of(self.name)
        try:
            found = registry.digest(image, self._login(image.host))
        except (Unreachable, Precondition):
            found = ""
        if found:
            self._memory.put("base", image=self.name, digest=found, asked=time.time())
        return f"{self.name}@{found or digest}".rstrip("@")

    @property
    def _handed_on(self) -> dict[str, Any]:
        """What the build knew that this checkout has its image from: a pipeline's next job must not learn otherwise."""
        image = self._memory.get("image")
        name, _, digest = str(image.get("base", "")).partition("@")
        return {"image": name, "digest": digest, "asked": image.get("at", 0.0)}
