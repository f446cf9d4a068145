"""BuildKit's daemon and its client."""

from __future__ import annotations

from pathlib import Path

from longshore.local.build.go import Program
from longshore.settings import Settings

VERSION = "0.34.2"

BUILDKIT = Program(
    name="buildkit",
    title=f"BuildKit {VERSION}",
    source=Path(__file__).with_name("buildkit"),
    packages=(".",),
    binaries=("buildkit",),
    stamps={"github.com/moby/buildkit/version.Version": f"v{VERSION}"},
    links=dict.fromkeys(("buildkitd", "buildctl"), "buildkit"),
)
ready = BUILDKIT.ready
start = BUILDKIT.start


def buildkitd(settings: Settings) -> Path:
    """Return the daemon."""
    return BUILDKIT.path(settings, "buildkitd")


def buildctl(settings: Settings) -> Path:
    """Return the client."""
    return BUILDKIT.path(settings, "buildctl")
