"""Whatever is wrong: one sentence, a hint, the right exit code, no traceback, and the last release still serves."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project, Ran, make_project


def failed(ran: Ran, exit_code: int, *words: str) -> None:
    """Assert that RAN failed with EXIT_CODE, one sentence and a hint, and printed WORDS."""
    assert ran.exit_code == exit_code, ran.out + ran.err
    assert "Traceback" not in ran.out + ran.err
    lines = ran.err.strip().splitlines()
    sentences = [line for line in lines if line.startswith("error: ")]
    assert len(sentences) == 1, ran.err
    assert lines[-1].startswith("hint: "), ran.err
    for word in words:
        assert word in ran.err, ran.err
    assert ran.data["exit_code"] == exit_code


def replace(path: str, old: str, new: str) -> Callable[[Project], None]:
    return lambda project: project.edit(path, old, new)


def append(path: str, text: str) -> Callable[[Project], None]:
    def edit(project: Project) -> None:
        file = project.folder / path
        file.write_text(file.read_text() + text)

    return edit


@pytest.mark.parametrize(
    ("edit", "exit_code", "words"),
    [
        pytest.param(
            append("application/__init__.py", "\ndef broken(:\n"), 5, ("application/__init__.py",), id="syntax error"
        ),
        pytest.param(
            append(
                "tests/unit/application/test_probes.py", '\n\ndef test_fails() -> None:\n    assert len("ab") == 3\n'
            ),
            5,
            ("test_fails",),
            id="failing test",
        ),
        pytest.param(append("Dockerfile", "\nRUN exit 7\n"), 5, ("Dockerfile",), id="broken Dockerfile"),
        pytest.param(
            replace("k8s/base/deployment.yaml", "readinessProbe:", "readynessProbe:"),
            2,
            ("readynessProbe",),
            id="manifest typo",
        ),
        pytest.param(
            replace("k8s/base/kustomization.yaml", "deployment.yaml", "deploymint.yaml"),
            2,
            ("deploymint",),
            id="missing manifest",
        ),
        pytest.param(
            replace("longshore.toml", 'approve = "auto"', "approve = 7"),
            2,
            ("longshore.toml:", "approve"),
            id="wrong type",
        ),
        pytest.param(replace("longshore.toml", "region =", "regoin ="), 2, ("'region'",), id="unknown key"),
    ],
)
def test_a_mistake_in_the_project_leaves_the_good_release_serving(
    project: Project, edit: Callable[[Project], None], exit_code: int, words: tuple[str, ...]
) -> None:
    before = project.version()
    edit(project)
    # This project's unit tests find a wrong manifest already; other projects have no such tests.
    options = ["--skip-checks"] if exit_code == 2 else []
    failed(project.deploy(*options, check=False), exit_code, *words)
    assert project.version()["digest"] == before["digest"]
    assert project.version()["revision"] == before["revision"]


def test_an_unknown_environment_names_the_nearest(project: Project) -> None:
    failed(project.invoke("deploy", "-e", "e3e", "--json", check=False), 2, "'e2e'")


def test_a_second_deploy_at_the_same_time_is_told_who_holds_the_environment(project: Project) -> None:
    (project.folder / ".longshore" / "environments" / project.name).mkdir(parents=True, exist_ok=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(project.folder / ".longshore" / "environments" / project.name)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        failed(project.deploy(check=False), 4, "is being changed by `invoke deploy`", str(holder.pid))
    finally:
        holder.terminate()
        holder.communicate()


HOLD = """
import sys, time
from pathlib import Path
from longshore.claim import claim
with claim(Path(sys.argv[1]), "e2e", "deploy"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def fresh(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that was never deployed; its environment is deleted afterwards."""
    project = make_project(tmp_path / "shop", "fresh", tmp_path_factory.mktemp("h"))
    yield project
    project.invoke("local.reset", "-e", "fresh", "--confirm", "fresh", check=False, deadline=120)


def test_a_taken_port_is_named_before_anything_serves_on_it(fresh: Project) -> None:
    with socket.create_server(("127.0.0.1", fresh.aws_port)):
        failed(fresh.invoke("local.up", "-e", "fresh", "--json", check=False), 3, str(fresh.aws_port), "aws_port")


def test_without_the_powers_of_root_it_says_what_to_do(fresh: Project) -> None:
    argv = [
        "setpriv",
        "--bounding-set=-all",
        "--inh-caps=-all",
        sys.executable,
        "-m",
        "invoke",
        "local.up",
        "-e",
        "fresh",
        "--json",
    ]
    done = subprocess.run(
        argv, cwd=fresh.folder, env=fresh.environ, capture_output=True, text=True, check=False, timeout=60
    )
    failed(Ran(done.returncode, done.stdout, done.stderr), 3, "root")


def test_without_a_network_the_first_start_says_what_it_could_not_fetch(fresh: Project, tmp_path: Path) -> None:
    nothing = {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "GOMODCACHE": str(tmp_path / "modules"),
        "GOFLAGS": "-modcacherw",
    }
    argv = ["unshare", "--net", sys.executable, "-m", "invoke", "local.up", "-e", "fresh", "--json"]
    done = subprocess.run(
        argv, cwd=fresh.folder, env=fresh.environ | nothing, capture_output=True, text=True, check=False, timeout=120
    )
    failed(Ran(done.returncode, done.stdout, done.stderr), 3)


def test_a_full_disk_fails_the_first_start_with_a_sentence(
    fresh: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    small = tmp_path_factory.mktemp("s")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)], check=True)
    try:
        failed(
            fresh.invoke("local.up", "-e", "fresh", "--json", check=False, XDG_STATE_HOME=str(small)), 3, "GB are free"
        )
    finally:
        fresh.invoke("local.down", "-e", "fresh", check=False, XDG_STATE_HOME=str(small))
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_state_folder_too_deep_for_sockets_is_refused(fresh: Project, tmp_path: Path) -> None:
    deep = tmp_path / "a-folder-that-is-much-too-deep-for-the-sockets-below-it"
    ran = fresh.invoke("local.up", "-e", "fresh", "--json", check=False, XDG_STATE_HOME=str(deep))
    failed(ran, 3, "too long", "XDG_STATE_HOME")
    fresh.invoke("local.down", "-e", "fresh", XDG_STATE_HOME=str(deep))
