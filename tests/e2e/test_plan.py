"""What was reviewed is what is applied: how a saved plan can be stale or lie, against the real Terraform and its state in S3."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.fernet import Fernet

from tests.e2e.conftest import Project, Ran, git
from tests.e2e.test_access import client
from tests.e2e.test_recovery import pid_of

LATENCY = "VARIABLES__LATENCY_THRESHOLD_SECONDS"  # of one alarm: a change takes no time, where that of a bucket takes a minute
LONG = "VARIABLES__SINGLE_NAT_GATEWAY"  # false: two more gateways, addresses and routes
BUCKET = "shop-terraform-state-123456789012"
SOMEBODY = {
    "ID": "0d5a1f7c-1111-2222-3333-444455556666", "Operation": "OperationTypeApply", "Info": "", "Who": "somebody@laptop",
    "Version": "1.11.4", "Created": "2026-11-25T10:00:00Z", "Path": f"{BUCKET}/e2e/terraform.tfstate",
}  # fmt: skip


def lock_of(project: Project) -> dict[str, str]:
    return {"Bucket": BUCKET, "Key": f"{project.name}/terraform.tfstate.tflock"}


def await_lock(project: Project) -> None:
    """Wait until Terraform has locked the state."""
    s3, end = client(project, "s3"), time.monotonic() + 90
    while time.monotonic() < end:
        with contextlib.suppress(ClientError):
            s3.head_object(**lock_of(project))
            return
        time.sleep(0.05)
    raise AssertionError("the state was never locked")


def key(project: Project, name: str) -> str:
    return f"LONGSHORE__ENVIRONMENTS__{project.name.upper()}__{name}"


@dataclass
class Reviewed:
    """A project with a saved plan that changes one thing, kept aside to be put back."""

    project: Project
    kept: Path
    environ: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.project.folder / ".longshore" / "environments" / self.project.name

    @property
    def bucket(self) -> dict[str, str]:
        return {"Bucket": BUCKET, "Key": f"{self.project.name}/terraform.tfstate"}

    def put_back(self) -> None:
        for name in ("plan.tfplan", "plan.json"):
            shutil.copy2(self.kept / name, self.folder / name)

    def apply(self, *words: str, **environ: str) -> Ran:
        command = ("infra.apply", "-e", self.project.name, "--json", *words)
        return self.project.invoke(*command, check=False, **(self.environ | environ))

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.load(client(self.project, "s3").get_object(**self.bucket)["Body"])
        return state

    def noted(self, name: str, value: object) -> None:
        record = json.loads((self.folder / "plan.json").read_text())
        (self.folder / "plan.json").write_text(json.dumps(record | {name: value}))


@pytest.fixture(scope="module")
def planned(live: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    live.restore()
    live.deploy("--skip-checks")
    kept = tmp_path_factory.mktemp("plan")
    one = Reviewed(live, kept, {key(live, LATENCY): "3"})
    said = live.invoke("infra.plan", "-e", live.name, "--json", **one.environ).data
    assert {change["action"] for change in said["changes"]} == {"update"}
    assert any("threshold: 1.5 → 3" in change["details"] for change in said["changes"])
    for name in ("plan.tfplan", "plan.json"):
        shutil.copy2(one.folder / name, kept / name)
    assert (one.folder / "plan.tfplan").stat().st_mode & 0o777 == 0o600
    report = json.loads((live.folder / ".longshore" / "report" / "terraform.json").read_text())
    assert report == {"create": 0, "update": len(said["changes"]), "delete": 0}
    yield one
    live.restore()


@pytest.fixture
def plan(planned: Reviewed) -> Iterator[Reviewed]:
    planned.put_back()
    yield planned
    planned.project.restore()


def commit(plan: Reviewed) -> None:
    git(plan.project.folder, "commit", "-q", "--allow-empty", "-m", "Change nothing")


def append(path: str) -> Callable[[Reviewed], None]:
    def work(plan: Reviewed) -> None:
        with (plan.project.folder / path).open("a") as file:
            file.write("\n# a word\n")

    return work


def damage(plan: Reviewed) -> None:
    data = bytearray((plan.folder / "plan.tfplan").read_bytes())
    data[len(data) // 2] ^= 1
    (plan.folder / "plan.tfplan").write_bytes(data)


STALE = {
    "another commit": (commit, {}, "it was made at the commit"),
    "another environment": (lambda plan: plan.noted("environment", "production"), {}, "it was made for production"),
    "another account": (lambda plan: plan.noted("account", "999999999999"), {}, "it was made for the account 999999999999"),
    "a changed variable": (lambda plan: None, {LATENCY: "5"}, "the variables have changed"),
    "a changed variables file": (append("terraform/environments/local.tfvars"), {}, "the variables have changed"),
    "a changed source": (append("terraform/vpc.tf"), {}, "the files in terraform/ have changed"),
    "other providers": (append("terraform/.terraform.lock.hcl"), {}, "the lock file names other providers"),
    "a changed state": (lambda plan: plan.noted("serial", 1), {}, "the state has changed since (serial 1, now"),
    "another state": (lambda plan: plan.noted("lineage", "x"), {}, "the state is another one"),
    "a damaged plan": (damage, {}, "the plan file is not the one that was saved"),
    "an old plan": (lambda plan: plan.noted("until", time.time() - 1), {}, "it is more than a day old"),
    "a plan of an older Longshore": (
        lambda plan: (plan.folder / "plan.json").write_text('{"fingerprint": "x"}'), {}, "it was made for unknown",
    ),
    "no plan": (lambda plan: (plan.folder / "plan.tfplan").unlink(), {}, "there is no saved plan"),
    "wrong credentials": (lambda plan: None, {"ACCOUNT": '"999999999999"'}, "the credentials belong to account 123456789012"),
}  # fmt: skip


# Ten seconds each; what they compare is compared as their neighbours' is.
ALIKE = (
    "another account",
    "a changed variables file",
    "another state",
    "an old plan",
    "a plan of an older Longshore",
)


@pytest.mark.parametrize(
    "why", [pytest.param(why, marks=pytest.mark.slow if why in ALIKE else ()) for why in STALE]
)
def test_a_stale_plan_is_refused_and_nothing_is_changed(plan: Reviewed, why: str) -> None:
    spoil, environ, words = STALE[why]
    before, head = plan.state()["serial"], git(plan.project.folder, "rev-parse", "HEAD")
    spoil(plan)
    ran = plan.apply(**{key(plan.project, name): value for name, value in environ.items()})
    git(plan.project.folder, "reset", "-q", "--soft", head)
    assert ran.exit_code == 3, ran.err
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert plan.state()["serial"] == before


def test_a_held_lock_names_its_holder_and_is_taken_by_its_exact_id_alone(plan: Reviewed) -> None:
    s3, lock = client(plan.project, "s3"), lock_of(plan.project)
    s3.put_object(**lock, Body=json.dumps(SOMEBODY).encode())
    command = ("infra.plan", "-e", plan.project.name, "--json")
    ran = plan.project.invoke(*command, check=False, **plan.environ)
    assert ran.exit_code == 4, ran.err
    assert "is locked by somebody@laptop, who is at OperationTypeApply since 2026-11-25 10:00" in ran.err
    assert f"infra.unlock {SOMEBODY['ID']}" in ran.err
    wrong = plan.project.invoke("infra.unlock", "0d5a1f7c", "-e", plan.project.name, check=False)
    assert wrong.exit_code == 2, wrong.err
    assert s3.head_object(**lock)
    right = plan.project.invoke("infra.unlock", SOMEBODY["ID"], "-e", plan.project.name, check=False)
    assert right.exit_code == 0, right.err
    assert plan.project.invoke(*command, **plan.environ).data["changes"]


def test_a_plan_that_leaves_the_machine_is_encrypted_and_opens_with_its_key_alone(plan: Reviewed) -> None:
    sealed = {"LONGSHORE_PLAN_KEY": Fernet.generate_key().decode()}
    plan.project.invoke("infra.plan", "-e", plan.project.name, **plan.environ, **sealed)
    assert (plan.folder / "plan.tfplan").read_bytes().startswith(b"gAAAA")
    other = plan.apply(LONGSHORE_PLAN_KEY=Fernet.generate_key().decode())
    assert other.exit_code == 3, other.err
    assert "cannot be decrypted" in other.err
    shutil.rmtree(plan.folder / "terraform")  # as in a job of its own, which has the plan and nothing else
    ran = plan.apply(**sealed)
    assert ran.exit_code == 0, ran.err
    assert not list(plan.folder.glob("*.tfplan"))
    back = plan.project.deploy("--skip-checks")
    assert "infra" in back.data["ran"]


def test_what_cannot_be_had_back_is_destroyed_only_by_its_typed_address(plan: Reviewed) -> None:
    changed = {key(plan.project, "VARIABLES__VPC_CIDR"): '"10.50.0.0/16"'}
    said = plan.project.invoke("infra.plan", "-e", plan.project.name, "--json", **changed).data
    vpc = next(change for change in said["changes"] if change["address"] == "aws_vpc.this")
    assert (vpc["action"], vpc["why"]) == ("replace", "cidr_block")
    ran = plan.project.invoke(
        "infra.apply", "-e", plan.project.name, "--destroys", "aws_vpc.other", check=False, **changed
    )
    assert ran.exit_code == 3, ran.err
    assert "--destroys aws_vpc.this" in ran.out + ran.err


def test_drift_is_told_from_pending_changes_by_resource_and_attribute(plan: Reviewed) -> None:
    command = ("infra.drift", "-e", plan.project.name, "--json")
    assert plan.project.invoke(*command).exit_code == 0
    pending = plan.project.invoke(*command, check=False, **plan.environ)
    assert (pending.exit_code, pending.data["drift"]) == (3, [])
    assert pending.data["pending"]
    logs = client(plan.project, "logs")
    group = next(one for one in logs.describe_log_groups()["logGroups"] if one.get("retentionInDays") == 7)
    logs.put_retention_policy(logGroupName=group["logGroupName"], retentionInDays=30)
    try:
        drifted = plan.project.invoke(*command, check=False)
        assert drifted.exit_code == 5, drifted.err
        assert ["retention_in_days: 7 → 30"] in [change["details"] for change in drifted.data["drift"]]
    finally:
        logs.put_retention_policy(logGroupName=group["logGroupName"], retentionInDays=7)


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
    client(project, "s3").delete_object(**lock_of(project))


def give_the_lock_away(project: Project, process: subprocess.Popen[str]) -> None:
    await_lock(project)
    client(project, "s3").put_object(**lock_of(project), Body=json.dumps(SOMEBODY).encode())


LOST = "'s state was lost while Terraform made 6 of 6 changes"
CUT = {
    "Terraform killed": (lambda project, process: os.kill(terraform(project), signal.SIGKILL), 7, "Terraform stopped after"),
    "Longshore killed": (lambda project, process: os.kill(process.pid, signal.SIGKILL), -9, ""),
    "SIGTERM": (lambda project, process: os.kill(process.pid, signal.SIGTERM), 143, ""),
    "the backend killed": (lambda project, process: os.kill(pid_of(project, "aws"), signal.SIGKILL), 7, "Terraform stopped after"),
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
    project, environ = plan.project, {key(plan.project, LONG): "false"}
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
