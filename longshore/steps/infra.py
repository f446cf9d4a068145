"""Terraform, from an empty account to outputs: the state's bucket, a saved plan, exactly that plan applied, what came out."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from longshore.command import Secret
from longshore.commands import terraform
from longshore.errors import BadInput, CommandFailed, DiskFull, LockHeld, Precondition, StateUnknown
from longshore.runner import Runner
from longshore.settings import Environment, Settings
from longshore.steps import aws, fingerprint, plan_summary, providers, reviewed
from longshore.steps.graph import Progress
from longshore.steps.memory import Memory, write_atomically
from longshore.steps.plan_summary import Change
from longshore.steps.terraform_events import Count

LOCK = re.compile(r"^\W*(ID|Operation|Who|Created): +(.+?)\s*$", re.MULTILINE)
FULL = re.compile(r"no\s+space\s+left\s+on\s+device|disk\s+quota\s+exceeded")  # Terraform wraps its lines
READS = ("terraform/*.tf", "terraform/.terraform.lock.hcl")


@dataclass(frozen=True)
class Infra:
    """The infrastructure of one environment."""

    settings: Settings
    environment: Environment
    runner: Runner

    @property
    def root(self) -> Path:
        """The folder of the Terraform root."""
        return self.settings.root / "terraform"

    @property
    def folder(self) -> Path:
        """Where plan, outputs and Terraform's own data are kept; disposable."""
        return self.settings.work / "environments" / self.environment.name

    @property
    def memory(self) -> Memory:
        """What was applied from this checkout."""
        return Memory(self.folder)

    @property
    def plan_file(self) -> Path:
        """The saved plan; it holds values in clear text, so it is private."""
        return self.folder / "plan.tfplan"

    @property
    def bucket(self) -> str:
        """Name of the bucket that holds the state."""
        return f"{self.settings.project.name}-terraform-state-{self.environment.account}"

    @property
    def state_key(self) -> str:
        """Name of the state in that bucket."""
        return f"{self.environment.name}/terraform.tfstate"

    @property
    def env(self) -> dict[str, str | Secret]:
        """The environment variables of every Terraform call."""
        values = dict(self.environment.aws_env)
        values |= {
            "TF_DATA_DIR": str(self.folder / "terraform"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            # Memory for time: a plan of these resources took 17 seconds of a processor instead of 22.
            "GOGC": self.settings.environ.get("GOGC", "400"),
        }
        if path := providers.configuration(self.settings, self.folder / "terraform.rc"):
            values["TF_CLI_CONFIG_FILE"] = str(path)
        return values

    def variables_files(self) -> tuple[Path, ...]:
        """Return the environment's variables file and one with what the settings say, which wins.

        A file, since Terraform lets a variables file win over its environment variables.
        """
        said = {"project": self.settings.project.name, "environment": self.environment.name}
        path = self.folder / "settings.tfvars.json"
        write_atomically(path, json.dumps({**said, **self.environment.variables}, indent=1), 0o600)
        return (self.settings.root / self.environment.variables_file).resolve(), path

    def fingerprint(self) -> str:
        """Return the hash of all that decides what Terraform would do, as far as this machine knows."""
        reads = (*READS, self.environment.variables_file)
        return fingerprint.of(
            self.settings.root,
            reads,
            self.environment.name,
            self.environment.account,
            self.environment.variables,
        )

    def outputs(self) -> dict[str, Any]:
        """Return what the last apply put out; asks Terraform only when this checkout does not know it."""
        known = self.memory.get("outputs")
        return known or self.read_outputs()

    def read_outputs(self) -> dict[str, Any]:
        """Ask Terraform for the outputs. Raises Precondition where nothing was applied yet."""
        self.init()
        found = json.loads(self.runner.run(terraform.output(self.root, self.env)).stdout or "{}")
        values = {name: thing["value"] for name, thing in found.items() if not thing["sensitive"]}
        if not values:
            raise Precondition(
                f"environment {self.environment.name} has no infrastructure yet",
                hint=f"`invoke infra.plan -e {self.environment.name}`, read it, then `invoke infra.apply -e {self.environment.name}`",
            )
        self.memory.put("outputs", **values)
        return values

    def init(self) -> None:
        """Fetch providers and connect to the state."""
        variables = self.settings.root / self.environment.variables_file
        if not variables.is_file():
            raise BadInput(
                f"{self.environment.variables_file} does not exist",
                hint="copy the one of another environment and change it",
            )
        backend = {
            "bucket": self.bucket,
            "key": self.state_key,
            "region": self.environment.region,
        }
        try:
            self.runner.run(terraform.init(self.root, self.env, backend))
        except CommandFailed as problem:
            if FULL.search(problem.detail):
                raise DiskFull("the disk is full: Terraform cannot be initialised") from None
            hint = (
                f"`invoke infra.bootstrap -e {self.environment.name}` makes the bucket of the state"
                if "bucket" in problem.detail
                else "it needs the registry of its providers, and AWS with this shell's credentials and AWS_* variables"
            )
            raise Precondition("Terraform cannot be initialised", detail=problem.detail, hint=hint) from None

    def plan(self, progress: Progress, *, destroy: bool = False) -> bool:
        """Save a plan, of destruction where asked; return whether it holds changes."""
        self.init()
        progress("planning")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.plan_file.unlink(missing_ok=True)
        os.close(os.open(self.plan_file, os.O_CREAT | os.O_WRONLY, 0o600))
        variables = self.variables_files()
        result = self.runner.run(
            terraform.plan(self.root, self.env, variables, self.plan_file, destroy=destroy), check=False
        )
        if result.exit_code not in (0, 2):
            self.plan_file.unlink()  # half of one, it may be
            raise self._failed(result.tail, result.exit_code, str(result.log))
        os.chmod(self.plan_file, 0o600)
        reviewed.bind(self)
        return result.exit_code == 2

    def shown(self, plan: Path | None = None) -> dict[str, Any]:
        """Return the saved plan as `terraform show -json` has it, sensitive values included: no log keeps it."""
        said = self.runner.run(terraform.show(self.root, self.env, plan or self.plan_file)).stdout
        found: dict[str, Any] = json.loads(said or "{}")
        return found

    def review(self, progress: Progress) -> list[Change]:
        """Save a plan for somebody to read and apply later; return what it would change, and leave GitLab's report of it."""
        folder = self.settings.work / "report"
        for old in ("terraform.json", "plan.json"):
            (folder / old).unlink(missing_ok=True)
        self.plan(progress)
        found = plan_summary.changes(self.shown())
        write_atomically(folder / "terraform.json", json.dumps(plan_summary.counts(found)))
        write_atomically(folder / "plan.json", msgspec.json.encode(found).decode())
        if reviewed.seal(self):
            reviewed.bind(self)
        return found

    def drifted(self, progress: Progress) -> tuple[list[Change], list[Change]]:
        """Return what is other than Terraform left it, and what terraform/ would change besides. Keeps no plan."""
        self.plan(progress)
        shown = self.shown()
        self.plan_file.unlink()
        return plan_summary.drift(shown)

    def apply(self, progress: Progress, destroys: Iterable[str] = ()) -> str:
        """Apply the saved plan and keep the outputs; DESTROYS are addresses of precious things that it may destroy.

        Raises Precondition for the wrong account and for a plan that is stale or destroys more than that, StateUnknown half-way.
        """
        aws.guard_account(self.environment)
        self.init()  # a job that applies starts with the plan and no providers
        return self._apply_checked(progress, destroys)

    def _apply_checked(self, progress: Progress, destroys: Iterable[str] = ()) -> str:
        reviewed.check(self)
        with reviewed.opened(self) as plan:
            found = plan_summary.changes(self.shown(plan))
            plan_summary.approved(found, destroys)
            total = len(found)
            self._apply(plan, total, progress)
        return f"{total} resources changed{self._remember()}"

    def _remember(self) -> str:
        """Keep what came out and what it was made from. All is done: a full disk costs asking again, and is told, but no failure."""
        try:
            self.read_outputs()
            self.memory.put("infra", fingerprint=self.fingerprint())
        except DiskFull:
            pass
        except OSError as problem:
            if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        else:
            return ""
        return "; the disk is full, so the next run has to ask for the outputs again"

    def _apply(self, plan: Path, total: int, progress: Progress) -> None:
        for kept in ("outputs", "infra"):  # true no more once something has changed, however this ends
            self.memory.forget(kept)
        count = Count(total, progress)
        result = self.runner.run(terraform.apply(self.root, self.env, plan), on_line=count, check=False)
        self.plan_file.unlink(missing_ok=True)
        if count.errors and all("releasing the state lock" in error for error in count.errors):
            name = self.environment.name
            raise StateUnknown(
                f"the lock of {name}'s state was lost while Terraform made {count.done} of {total} changes: "
                "somebody else may have changed the same things", detail="\n".join(count.errors),
                hint=f"its state is kept; `invoke infra.drift -e {name}` compares the account with it (log: {result.log})",
            )  # fmt: skip
        if result.exit_code != 0:
            raise StateUnknown(
                f"Terraform stopped after {count.done} of {total} changes", detail="\n".join(count.errors) or result.tail,
                hint=f"its state is kept; plan and apply, or deploy, again: that goes on from there (log: {result.log})",
            )  # fmt: skip

    def bring_up(self, progress: Progress) -> str:
        """Make the account what the sources say, as far as the environment's `approve` lets nobody look first."""
        from longshore.steps import state_bucket

        state_bucket.ensure(self.environment, self.bucket)
        changed = self.plan(progress)
        if not changed:
            return f"no changes{self._remember()}"
        if self.environment.approve != "auto":
            raise Precondition(
                f"the infrastructure of {self.environment.name} differs from terraform/, and its changes need a reader",
                hint=f"`invoke infra.plan -e {self.environment.name}` shows them, `infra.apply` applies them",
            )
        return self._apply_checked(progress)

    def destroy(self, progress: Progress, *, confirm: str) -> str:
        """Destroy everything that Terraform made here. Raises BadInput unless CONFIRM is the environment's name."""
        name = self.environment.name
        if confirm != name:
            raise BadInput(
                f"this destroys the infrastructure of {name} and all that runs on it",
                hint=f"`--confirm {name}` says that you mean it",
            )
        self.plan(progress, destroy=True)
        total = len(plan_summary.changes(self.shown()))
        self._apply(self.plan_file, total, progress)
        self.memory.forget("image")
        return f"{total} resources destroyed"

    def write_dotenv(self, outputs: Mapping[str, Any], revision: str, digest: str) -> None:
        """Write what GitLab's dotenv report takes: the environment's address, the revision, the digest."""
        lines = f"LONGSHORE_URL={outputs['url']}\nLONGSHORE_REVISION={revision}\nLONGSHORE_DIGEST={digest}\n"
        write_atomically(self.settings.work / "report" / "deploy.env", lines)

    def settled(self) -> str | None:
        """Return a reason when nothing that decides about the infrastructure has changed since it was applied from here."""
        if self.memory.get("outputs") and self.memory.get("infra").get("fingerprint") == self.fingerprint():
            return "the sources and variables are those last applied"
        return None

    def _failed(self, tail: str, exit_code: int, log: str) -> CommandFailed | DiskFull | LockHeld:
        if FULL.search(tail):
            return DiskFull("the disk is full: Terraform could not keep its plan; nothing was changed")
        if "Error acquiring the state lock" in tail:
            known = dict(LOCK.findall(tail))
            return LockHeld(
                f"the state of {self.environment.name} is locked by {known.get('Who', 'somebody')}, who is at "
                f"{known.get('Operation', 'something')} since {known.get('Created', 'some time')[:19]}",
                hint=f"wait for it; if that run is surely dead: `invoke infra.unlock {known.get('ID', 'ID')} -e {self.environment.name}`",
            )
        return CommandFailed("terraform", exit_code, log=log, tail=tail)
