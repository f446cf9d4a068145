"""A full disk, and an apply that is cut off: the next run continues from what they leave."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project
from tests.e2e.reviewed import SOMEBODY, Reviewed, await_lock, lock_of

LONG = "VARIABLES__SINGLE_NAT_GATEWAY"  # false: two more gateways, addresses and routes


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small empty disk over FOLDER."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, room: int = 0) -> None:
    """Fill the disk of FOLDER, except for ROOM bytes."""
    with contextlib.suppress(OSError), (folder / "filler").open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    if room:
        os.truncate(folder / "filler", (folder / "filler").stat().st_size - room)


@pytest.mark.parametrize(
    ("room", "words"),
    [
        (0, "the disk is full"),
        pytest.param(24 << 10, "Terraform could not save its plan; nothing was changed", marks=pytest.mark.slow),
    ],
)
def test_a_plan_for_which_the_disk_has_no_room_fails_with_a_sentence(plan: Reviewed, room: int, words: str) -> None:
    before = plan.state()["serial"]
    command = ("infra.plan", "-e", plan.project.name, "--json")
    with small_disk(plan.folder):
        fill(plan.folder, room)
        ran = plan.project.invoke(*command, check=False, **plan.environ)
        assert ran.exit_code == 3, ran.err
        assert words in ran.err
        assert "free some space" in ran.err
        assert "Traceback" not in ran.err
        assert not (plan.folder / "plan.tfplan").exists()
    assert plan.state()["serial"] == before
    assert plan.project.invoke(*command, **plan.environ).data["changes"]


@pytest.mark.slow
def test_a_full_disk_prevents_an_apply_but_does_not_stop_one_that_has_begun(plan: Reviewed) -> None:
    command = ("infra.plan", "-e", plan.project.name, "--json")
    before = plan.state()["serial"]
    with small_disk(plan.folder):
        plan.project.invoke(*command, **plan.environ)
        fill(plan.folder)
        refused = plan.apply()
        assert refused.exit_code == 3, refused.err
        assert "the disk is full: Terraform cannot be initialised" in refused.err
        assert plan.state()["serial"] == before

        # Terraform's state is in S3, so it needs no more of the disk; what Longshore would record can be read again.
        os.truncate(plan.folder / "filler", 128 << 10)
        over = threading.Event()

        def keep_full() -> None:
            await_lock(plan.project)
            while not over.wait(0.02):
                fill(plan.folder)

        filling = threading.Thread(target=keep_full)
        filling.start()
        try:
            ran = plan.apply()
        finally:
            over.set()
            filling.join()
        assert ran.exit_code == 0, ran.err
        assert "resources changed; the disk is full, so the next run has to ask for the outputs again" in ran.err
        assert not (plan.folder / "infra.json").exists()
    assert plan.state()["serial"] > before
    assert plan.project.invoke(*command, **plan.environ).data["changes"] == []
    # The folder under the disk has an older record, by which a deployment would have nothing to do.
    assert plan.project.invoke(*command).data["changes"]
    plan.project.invoke("infra.apply", "-e", plan.project.name)


def terraform(project: Project) -> int:
    """Return the pid of the Terraform that applies for this project, or 0."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        plan = f"{project.folder}/.longshore/environments/{project.name}/plan.tfplan".encode()
        if words[0].endswith(b"terraform") and plan in words and b"apply" in words:
            return int(entry.name)
    return 0


def lose_the_lock(project: Project, process: subprocess.Popen[str]) -> None:
    await_lock(project)
    project.client("s3").delete_object(**lock_of(project))


def give_the_lock_away(project: Project, process: subprocess.Popen[str]) -> None:
    await_lock(project)
    project.client("s3").put_object(**lock_of(project), Body=json.dumps(SOMEBODY).encode())


LOST = "'s state was lost while Terraform made 6 of 6 changes"
CUT = {
    "Terraform killed": (
        lambda project, process: os.kill(terraform(project), signal.SIGKILL),
        7,
        "Terraform stopped after",
    ),
    "Longshore killed": (lambda project, process: os.kill(process.pid, signal.SIGKILL), -9, ""),
    "SIGTERM": (lambda project, process: os.kill(process.pid, signal.SIGTERM), 143, ""),
    "the backend killed": (
        lambda project, process: os.kill(project.pid_of("aws"), signal.SIGKILL),
        7,
        "Terraform stopped after",
    ),
    "the lock lost": (lose_the_lock, 7, LOST),
    "the lock lost to another": (give_the_lock_away, 7, LOST),
}


# One to four minutes each; tests/e2e/test_cancellation.py always ends Terraform as well, during `invoke deploy`.
@pytest.mark.slow
@pytest.mark.parametrize("how", CUT)
def test_the_next_run_continues_an_apply_that_was_cut_off(plan: Reviewed, how: str) -> None:
    cut, expected, words = CUT[how]
    project, environ = plan.project, {plan.project.key(LONG): "false"}
    assert project.invoke("infra.plan", "-e", project.name, "--json", **environ).data["changes"]
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "infra.apply", "-e", project.name],
        cwd=project.folder,
        env=project.environ | environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while not terraform(project):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1.5)
    cut(project, process)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == expected, output
    assert words in output
    assert "Traceback" not in output
    while terraform(project):
        assert time.monotonic() < end + 60
        time.sleep(0.2)
    again = project.deploy("--skip-checks", check=False, **environ)
    if again.exit_code == 4:  # the killed run has left its lock, which is reported; a person unlocks it
        lock = again.data["hint"].partition("infra.unlock ")[2].split()[0]
        project.invoke("infra.unlock", lock, "-e", project.name)
        again = project.deploy("--skip-checks", check=False, **environ)
    assert again.exit_code == 0, again.err
    assert project.invoke("infra.plan", "-e", project.name, "--json", **environ).data["changes"] == []
    project.deploy("--skip-checks")
