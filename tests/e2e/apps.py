"""Small applications of other people (tests/apps), deployed one after the other to one environment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from longshore.rollout.bake import Asking
from tests.e2e.project import ROOT, Project, free_ports, git

APPS = ROOT / "tests" / "apps"
NAME = "hello"
EXAMPLE = "application"  # the example's own, which keeps a contract
TOOLKIT = ("longshore", "localcloud")
SETTINGS = """
[project]
name = "hello"

[application]
{application}

[environments.apps]
account = "123456789012"
region = "eu-west-1"
approve = "auto"
overlay = "local"
variables_file = "terraform/environments/local.tfvars"
bake = 0

[environments.apps.local]
aws_port = {aws}

[environments.apps.variables]
http_port = {http}
https_port = {https}
domain_name = "hello.localhost"
"""


class Apps(Project):
    """A checkout that holds one application at a time, with manifests in which nothing is called as in the example."""

    def __init__(self, folder: Path, home: Path) -> None:
        http, https, aws = free_ports(3)
        super().__init__(folder, "apps", (http, https, aws), home, NAME)
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        for name in ("k8s", "terraform"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform"))
        shutil.copy2(ROOT / "tasks.py", folder)
        for name in TOOLKIT:  # as if it was installed
            (folder / name).symlink_to(ROOT / name)
        (folder / ".git" / "info" / "exclude").write_text("\n".join(TOOLKIT))
        for file in (*(folder / "k8s" / "base").glob("*.yaml"), *(folder / "k8s/overlays/local").glob("*.yaml")):
            text = file.read_text()
            for kind in ("name: app\n", "serviceAccountName: app\n"):
                text = text.replace(kind, kind.replace("app", "site"))
            file.write_text(text)

    def become(self, app: str, *, edit: Mapping[str, str] | None = None, more: str = "", **application: Any) -> None:
        """Hold the files of APP, if it has some, and nothing of another one; APPLICATION are settings, EDIT more files.

        MORE are further tables of longshore.toml.
        """
        application = {"path": ".", "port": 8000} | application
        kept = {".git", ".longshore", "k8s", "terraform", "tasks.py", *TOOLKIT}
        for path in self.folder.iterdir():
            if path.name not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        if app == EXAMPLE:
            for name in (EXAMPLE, "requirements"):
                shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy2(ROOT / "Dockerfile", self.folder)
        elif (APPS / app).is_dir():
            shutil.copytree(APPS / app, self.folder, dirs_exist_ok=True)
        ports = {"http": self.http_port, "https": self.https_port, "aws": self.aws_port}
        table = "\n".join(f"{key} = {json.dumps(value)}" for key, value in application.items())
        (self.folder / "longshore.toml").write_text(SETTINGS.format(application=table, **ports) + more)
        # What a team has beside its code: neither changes the image.
        (self.folder / ".dockerignore").write_text("k8s\nterraform\nlongshore.toml\ntasks.py\n")
        for name, text in (edit or {}).items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", f"Become {app}")

    def release(self, **options: Any) -> dict[str, Any]:
        """Deploy without the gates and return what that says."""
        return self.deploy("--skip-checks", **options).data

    def under_load(self, rate: float, work: Callable[[], object]) -> dict[str, Any]:
        """Do WORK while the address is asked RATE times a second; return the probe's figures."""
        address = f"https://{self.host}:{self.https_port}"
        with Asking(address, self.state() / "pki" / "edge-ca.crt", rate) as asking:
            work()
        result = asking.probe.result()
        print({key: result[key] for key in ("sent", "failed", "classes", "p50", "p99", "late")}, asking.probe.examples)
        return result
