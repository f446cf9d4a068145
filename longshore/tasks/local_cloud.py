"""The only module that knows the environments that Longshore runs on this machine; it is imported for those alone."""

from __future__ import annotations

from localcloud.environment import LocalCloud, environments, system_packages

__all__ = ["LocalCloud", "environments", "system_packages"]
