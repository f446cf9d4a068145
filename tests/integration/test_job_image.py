"""The image that GitLab's jobs run in, really built: its own Dockerfile, on stand-ins for what Docker Hub has."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from localcloud import registry_login
from localcloud.environment import LocalCloud
from localcloud.layout import Layout
from longshore.commands import buildctl
from longshore.image import job_image
from longshore.process.command import Command
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings
from longshore.snapshot.take import take
from tests.integration.aws_process import ROOT
from tests.integration.conftest import quiet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="a daemon with mounts of its own needs root"),
]

Build = Callable[..., Command]
PLUGIN = "usr/local/libexec/docker/cli-plugins/docker-buildx"
TOOLS = {
    "hashicorp/terraform:1.11.4": {"bin/terraform": "terraform"},
    "registry.k8s.io/kubectl:v1.35.4": {"bin/kubectl": "kubectl"},
    "docker:28-cli": {"usr/local/bin/docker": "docker", PLUGIN: "docker"},
}
CHECK = """
set -e
nox --version; invoke --version; uv --version; git --version; terraform version; test -x /usr/local/bin/kubectl
cd /project; invoke --list >/dev/null; nox --list >/dev/null; invoke ci.check
"""


@pytest.fixture(scope="module")
def build(settings: Settings, layout: Layout, runner: Runner, folder: Path) -> Build:
    """Describes builds by BuildKit with stand-ins: this machine's tools, and the base image with this machine's git."""
    ours = LocalCloud(settings, layout, runner).build_command
    contexts = dict(ours.keywords["contexts"])  # type: ignore[attr-defined]
    made = {
        image: {path: Path(shutil.which(tool) or tool) for path, tool in files.items()}
        for image, files in TOOLS.items()
    }
    git = [Path("/usr/bin/git"), *Path("/usr/lib/git-core").glob("git-remote-http*"), *libraries("/usr/bin/git")]
    base = contexts["python:3.11-slim-bookworm"]
    made["git"] = {str(path.parent.resolve() / path.name).lstrip("/"): path for path in git}
    for name, files in made.items():
        context = folder / "stand-ins" / name.replace("/", "-")
        for path, source in files.items():
            (context / "root" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, context / "root" / path)
        beginning = base if name == "git" else "scratch"
        (context / "Dockerfile").write_text(f"FROM {beginning}\nCOPY root /\n")
        target = f"{layout.registry}/stand-in/{name.replace('/', '-').replace(':', '-')}"
        env = {"DOCKER_CONFIG": str(layout.docker_config)}
        describe = ours(context, context / "Dockerfile", name=target, metadata=context / "m", env=env, deadline=120.0)
        runner.run(describe)
        contexts["python:3.11-slim-bookworm" if name == "git" else name] = target

    def described(*, env: Mapping[str, str], **options: object) -> Command:
        keywords = ours.keywords | {"contexts": contexts}  # type: ignore[attr-defined]
        return partial(buildctl.build, *ours.args, **keywords)(env=env, deadline=300.0, **options)  # type: ignore[attr-defined]

    return described


def libraries(program: str) -> list[Path]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [Path(word) for word in listed.split() if word.startswith("/") and "ld-linux" not in word]


def test_the_job_image_is_built_once_and_has_every_tool(
    build: Build, layout: Layout, runner: Runner, environ: dict[str, str], tmp_path: Path
) -> None:
    checkout = tmp_path / "project"
    subprocess.run(["git", "clone", "-q", "--depth=1", ROOT.as_uri(), checkout], check=True)
    sources = take(load(checkout, environ), runner)
    provide = partial(
        job_image.provide,
        f"{layout.registry}/shop/ci",
        sources,
        runner,
        own=layout.docker_config,
        login=registry_login.token(layout),
        progress=quiet,
    )
    made = provide(describe=build)
    assert made.startswith(f"{layout.registry}/shop/ci@sha256:")

    def never(**options: object) -> Command:
        raise AssertionError("it is in the registry")

    assert provide(describe=never) == made

    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "Dockerfile").write_text(f"FROM {made}\n")
    root, archive = tmp_path / "root", tmp_path / "root.tar"
    described = build(
        context=tmp_path / "empty",
        dockerfile=tmp_path / "empty" / "Dockerfile",
        name="unused",
        metadata=tmp_path / "m",
        env={"DOCKER_CONFIG": str(layout.docker_config)},
    )
    argv = [word for word in described.argv if not word.startswith("--output")]
    runner.run(replace(described, argv=(*argv, f"--output=type=tar,dest={archive}")))
    root.mkdir()
    subprocess.run(["tar", "--exclude=./dev/*", "-xf", archive, "-C", root], check=True, timeout=120)
    shutil.copytree(checkout, root / "project", symlinks=True)
    path = "/usr/local/bin:/usr/bin:/bin"
    ran = subprocess.run(
        ["/usr/sbin/chroot", root, "sh", "-c", CHECK],
        env={"PATH": path, "HOME": "/root"},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "the pipelines' files are up to date" in ran.stderr + ran.stdout
