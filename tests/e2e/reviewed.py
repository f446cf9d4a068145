"""A reviewed plan, saved to be applied, and the lock of its state."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.e2e.project import Project, Ran

LATENCY = "VARIABLES__LATENCY_THRESHOLD_SECONDS"  # of an alarm, which changes at once; a bucket takes a minute
BUCKET = "shop-terraform-state-123456789012"
SOMEBODY = {
    "ID": "0d5a1f7c-1111-2222-3333-444455556666",
    "Operation": "OperationTypeApply",
    "Info": "",
    "Who": "somebody@laptop",
    "Version": "1.11.4",
    "Created": "2026-11-25T10:00:00Z",
    "Path": f"{BUCKET}/e2e/terraform.tfstate",
}


def lock_of(project: Project) -> dict[str, str]:
    return {"Bucket": BUCKET, "Key": f"{project.name}/terraform.tfstate.tflock"}


def locked(project: Project) -> bool:
    """Whether Terraform's lock is there."""
    with contextlib.suppress(ClientError):
        project.client("s3").head_object(**lock_of(project))
        return True
    return False


def await_lock(project: Project) -> None:
    """Wait until Terraform has locked the state."""
    end = time.monotonic() + 90
    while not locked(project):
        assert time.monotonic() < end, "the state was never locked"
        time.sleep(0.05)


@dataclass
class Reviewed:
    """A project with a saved plan that changes one resource; `copies` has copies of its files."""

    project: Project
    copies: Path
    environ: dict[str, str]

    @property
    def folder(self) -> Path:
        return self.project.folder / ".longshore" / "environments" / self.project.name

    @property
    def bucket(self) -> dict[str, str]:
        return {"Bucket": BUCKET, "Key": f"{self.project.name}/terraform.tfstate"}

    def put_back(self) -> None:
        for name in ("plan.tfplan", "plan.json"):
            shutil.copy2(self.copies / name, self.folder / name)

    def apply(self, *words: str, **environ: str) -> Ran:
        command = ("infra.apply", "-e", self.project.name, "--json", *words)
        return self.project.invoke(*command, check=False, **(self.environ | environ))

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.load(self.project.client("s3").get_object(**self.bucket)["Body"])
        return state

    def noted(self, name: str, value: object) -> None:
        record = json.loads((self.folder / "plan.json").read_text())
        (self.folder / "plan.json").write_text(json.dumps(record | {name: value}))
