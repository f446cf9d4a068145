"""Docker's plugin buildx, compiled once for each machine, which takes minutes, and a builder that is BuildKit."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from localcloud.build import toolchain
from localcloud.layout import Layout
from longshore.process.runner import Runner
from longshore.settings.model import Settings
from tests.integration.conftest import quiet

VERSION = "v0.38.2"


def plugin(settings: Settings, runner: Runner) -> Path:
    """Return the plugin."""
    home = settings.cache / "buildx" / VERSION
    if not (home / "buildx").is_file():
        go = toolchain.start(settings, runner, quiet)
        env = os.environ | {"GOBIN": str(home), "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
        program = f"github.com/docker/buildx/cmd/buildx@{VERSION}"
        subprocess.run([go, "install", program], env=env, check=True, capture_output=True, timeout=3000)
    return home / "buildx"


def configure(own: Path, plugin: Path, layout: Layout) -> None:
    """Make OWN, an empty folder, a Docker configuration with the PLUGIN, whose builder is the BuildKit of LAYOUT."""
    (own / "cli-plugins").mkdir(parents=True)
    (own / "cli-plugins" / "docker-buildx").symlink_to(plugin)
    (own / "config.json").write_text("{}")
    create = ("buildx", "create", "--name=ours", "--driver=remote", f"unix://{layout.buildkit_socket}")
    for words in (create, ("buildx", "use", "--global", "ours")):
        subprocess.run(["docker", *words], env=environment(own), check=True, capture_output=True, timeout=60)


def environment(own: Path) -> dict[str, str]:
    """Return the variables with which Docker finds the configuration OWN."""
    return {"PATH": os.environ["PATH"], "HOME": str(own.parent), "DOCKER_CONFIG": str(own)}
