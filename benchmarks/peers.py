"""The tools that the benchmarks compare with, compiled once from their published modules."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from localcloud.build import toolchain
from longshore.process.runner import Runner
from longshore.settings.load import process_environment
from longshore.settings.model import Settings

TASK = "github.com/go-task/task/v3/cmd/task@v3.54.0"
HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
VEGETA = "github.com/tsenart/vegeta/v12@v12.13.0"


def program(settings: Settings, module: str) -> str:
    """Return the path of the program that MODULE builds; compile it into Longshore's cache the first time."""
    package, _, version = module.partition("@")
    folder = settings.cache / "peers" / version
    path = folder / Path(re.sub(r"/v\d+$", "", package)).name
    if not path.exists():
        print(f"compiling {module} …", flush=True)
        go = toolchain.start(settings, Runner(process_environment()), lambda *_: None)
        environ = os.environ | {"GOBIN": str(folder), "GOFLAGS": "-trimpath"}
        subprocess.run([str(go), "install", module], env=environ, check=True, capture_output=True)
    return str(path)
