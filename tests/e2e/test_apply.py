"""A full disk, and an apply that is cut off: what is left is what the next run goes on from."""

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
    """Have FOLDER on a disk of its own, empty and small."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, room: int = 0) -> None:
    """Leave ROOM bytes and no more on the disk of FOLDER."""
    with contextlib.suppress(OSError), (folder / "filler").open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    if room:
        os.truncate(folder / "filler", (folder / "filler").stat().st_size - room)


@pytest.mark.parametrize(
    ("room", "words"), [(0, "the disk is full"), (24 << 10, "Terraform could not keep its plan; nothing was changed")]
)  # fmt: skip
def test_a_plan_for_which_the_disk_has_no_room_is_a_sentence(plan: Reviewed, room: int, words: str) -> None:
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


def test_a_full_disk_refuses_an_apply_and_ends_none_that_has_begun(plan: Reviewed) -> None:
    command = ("infra.plan", "-e", plan.project.name, "--json")
    before = plan.state()["serial"]
    with small_disk(plan.folder):
        plan.project.invoke(*command, **plan.environ)
        fill(plan.folder)
        refused = plan.apply()
        assert refused.exit_code == 3, refused.err
        assert "the disk is full: Terraform cannot be initialised" in refused.err
        assert plan.state()["serial"] == before

        # Terraform's state is in S3: of the disk it needs nothing more, and what Longshore would keep can be asked for again.
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
        assert (
            "resources changed; the disk is full, so the next run has to ask for the outputs again" in ran.err
        )
        assert not (plan.folder / "outputs.json").exists()
    assert plan.state()["serial"] > before
    assert plan.project.invoke(*command, **plan.environ).data["changes"] == []
    # What this folder remembers is older than the disk that was over it, so a deployment would see nothing to do.
    assert plan.project.invoke(*command).data["changes"]
    plan.project.invoke("infra.apply", "-e", plan.project.name)


def terraform(project: Project) -> int:
    """The Terraform that applies for this project."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        here = f"-chdir={project.folder}/terraform".encode()
        if words[0].endswith(b"terraform") and here in words and b"apply" in words:
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
    "Terraform killed": (lambda project, process: os.kill(terraform(project), signal.SIGKILL), 7, "Terraform stopped after"),
    "Longshore killed": (lambda project, process: os.kill(process.pid, signal.SIGKILL), -9, ""),
    "SIGTERM": (lambda project, process: os.kill(process.pid, signal.SIGTERM), 143, ""),
    "the backend killed": (lambda project, process: os.kill(project.pid_of("aws"), signal.SIGKILL), 7, "Terraform stopped after"),
    "the lock lost": (lose_the_lock, 7, LOST),
    "the lock lost to another": (give_the_lock_away, 7, LOST),
}  # fmt: skip


# One to four minutes each; tests/e2e/test_cancellation.py ends Terraform in each run as well, by way of `invoke deploy`.
@pytest.mark.slow
@pytest.mark.parametrize("how", CUT)
def test_an_apply_that_is_cut_off_leaves_a_state_from_which_the_next_one_goes_on(
    plan: Reviewed, how: str
) -> None:
    cut, expected, words = CUT[how]
    project, environ = plan.project, {plan.project.key(LONG): "false"}
    assert project.invoke("infra.plan", "-e", project.name, "--json", **environ).data["changes"]
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "infra.apply", "-e", project.name], cwd=project.folder,
        env=project.environ | environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while not terraform(project):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(1.5)
    cut(project, process)
    said = process.communicate(timeout=120)[0]
    assert process.returncode == expected, said
    assert words in said
    assert "Traceback" not in said
    while terraform(project):
        assert time.monotonic() < end + 60
        time.sleep(0.2)
    again = project.deploy("--skip-checks", check=False, **environ)
    if again.exit_code == 4:  # whoever was killed has left its lock: it is named, and unlocked by a person
        lock = again.data["hint"].partition("infra.unlock ")[2].split()[0]
        project.invoke("infra.unlock", lock, "-e", project.name)
        again = project.deploy("--skip-checks", check=False, **environ)
    assert again.exit_code == 0, again.err
    assert project.invoke("infra.plan", "-e", project.name, "--json", **environ).data["changes"] == []
    project.deploy("--skip-checks")
