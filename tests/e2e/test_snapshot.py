"""A deployment releases the sources as they were when it began, and nothing that git does not have."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.project import Project, git

# A check that holds up the build until a file appears.
PAUSE = """
[steps.pause]
run = ["sh", "-c", "touch {folder}/paused; until [ -e {folder}/edited ]; do sleep 0.05; done"]
reads = ["longshore.toml"]
before = "image"
"""


def deploy_and_edit(project: Project, begun: Callable[[], bool], edit: Callable[[], object]) -> dict[str, Any]:
    """Deploy without the gates, call EDIT as soon as BEGUN is true; return what the deployment reports."""
    with subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", project.name, "--skip-checks", "--json"],
        cwd=project.folder,
        env=project.environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            end = time.monotonic() + 60
            while not begun():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < end
                time.sleep(0.02)
            edit()
            assert process.poll() is None, "it ended before the edit"
            out, err = process.communicate(timeout=120)
        finally:
            process.terminate()
    assert process.returncode == 0, err
    report: dict[str, Any] = json.loads(out)
    return report


def note(project: Project) -> str:
    """Return what `Project.change` wrote, as the pods have it."""
    return project.admin("exec", "deployment/app", "--", "cat", "application/note.txt")


def assert_serves(project: Project, report: dict[str, Any], text: str) -> None:
    version = project.version()
    assert (version["digest"], version["revision"]) == (report["digest"], report["revision"])
    assert report["digest"] in project.registry_digests()
    assert note(project) == text


def test_a_file_saved_during_the_checks_is_in_the_next_release(project: Project, tmp_path: Path) -> None:
    with (project.folder / "longshore.toml").open("a") as settings:
        settings.write(PAUSE.format(folder=tmp_path))
    project.change("before")

    def edit() -> None:
        project.change("during the checks")
        (tmp_path / "edited").touch()

    first = deploy_and_edit(project, (tmp_path / "paused").exists, edit)
    assert_serves(project, first, "before")
    second = project.deploy("--skip-checks").data
    assert second["digest"] != first["digest"]
    assert second["revision"] != first["revision"]
    assert_serves(project, second, "during the checks")


def test_a_file_saved_during_the_build_is_in_the_next_release(project: Project) -> None:
    with (project.folder / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("RUN sleep 3\n")
    project.change("before")
    logs = project.folder / ".longshore" / "logs"
    earlier = set(logs.glob("*/image.log"))

    def building() -> bool:
        return any("sleep 3" in log.read_text() for log in set(logs.glob("*/image.log")) - earlier)

    first = deploy_and_edit(project, building, lambda: project.change("during the build"))
    assert_serves(project, first, "before")
    second = project.deploy("--skip-checks").data
    assert second["digest"] != first["digest"]
    assert_serves(project, second, "during the build")


def test_a_file_that_git_ignores_is_not_in_the_image(project: Project) -> None:
    ignored = project.folder / "application" / ".env"
    ignored.write_text("PASSWORD=swordfish\n")
    project.change("beside an ignored file")
    try:
        project.deploy("--skip-checks")
    finally:
        ignored.unlink()
    files = project.admin("exec", "deployment/app", "--", "ls", "-A", "application").split()
    assert "note.txt" in files
    assert ".env" not in files


def test_a_protected_environment_gets_the_commit_alone(site: Project, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "upstream.git")
    git(site.folder, "remote", "add", "origin", str(tmp_path / "upstream.git"))
    try:
        site.change("committed")
        git(site.folder, "add", "application")
        git(site.folder, "commit", "-q", "-m", "Change the note")
        git(site.folder, "push", "-q", "origin", "main")
        git(site.folder, "update-index", "--skip-worktree", "application/note.txt")
        site.change("hidden from git")
        report = site.invoke("release.apply", "-e", site.name, "--json", **{site.key("PROTECTED"): "true"}).data
        assert report["revision"] == git(site.folder, "rev-parse", "HEAD")[:12]
        assert_serves(site, report, "committed")
        unprotected = site.deploy("--skip-checks").data
        assert "-dirty-" in unprotected["revision"]
        assert_serves(site, unprotected, "hidden from git")
    finally:
        git(site.folder, "update-index", "--no-skip-worktree", "application/note.txt")
        git(site.folder, "reset", "-q", "--hard", "HEAD~1")
        git(site.folder, "remote", "remove", "origin")
