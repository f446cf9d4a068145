"""Terraform as one environment runs it, and what its failures mean."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from longshore.commands import terraform
from longshore.errors import BadInput, CommandFailed, DiskFull, Failure, LockHeld, Precondition, StateUnknown
from longshore.files import write_atomically
from longshore.graph.steps import Progress
from longshore.infra import cost, providers
from longshore.infra.events import Events
from longshore.infra.outputs import plain
from longshore.infra.state_bucket import StateBucket
from longshore.process.command import Command, Secret
from longshore.process.runner import Result, Runner
from longshore.settings.model import Environment, Settings
from longshore.snapshot.snapshot import Snapshot

LOCK = re.compile(r"^\W*(ID|Operation|Who|Created): +(.+?)\s*$", re.MULTILINE)
REGION = re.compile(r'^(?:region\s*=|[\s{]*"region"\s*:)\s*"([^"]*)"', re.MULTILINE)  # in HCL or JSON
FULL = re.compile(r"no\s+space\s+left\s+on\s+device|disk\s+quota\s+exceeded")  # Terraform wraps its lines


def derived(settings: Settings, environment: Environment) -> dict[str, str]:
    """Return the variables that follow from SETTINGS unless the variables of ENVIRONMENT say otherwise."""
    return {"app_namespace": environment.namespace, "health_path": settings.application.keeps.asked}


class Terraform(Struct, frozen=True, dict=True):
    """Terraform on the sources of SNAPSHOT, with its state in BUCKET and its own data in FOLDER."""

    settings: Settings
    environment: Environment
    runner: Runner
    snapshot: Snapshot
    bucket: StateBucket
    folder: Path

    @cached_property
    def sources(self) -> Path:
        """The folder with the *.tf files; read only. The first use checks the snapshot out."""
        return self.snapshot.checkout() / "terraform"

    @property
    def data(self) -> Path:
        """Where Terraform keeps providers and which state it uses."""
        return self.folder / "terraform"

    @cached_property
    def env(self) -> dict[str, str | Secret]:
        values = dict(self.environment.aws_env)
        values |= {
            "TF_DATA_DIR": str(self.data),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            # More memory for less time: a plan of these resources took 17 seconds of CPU time instead of 22.
            "GOGC": self.settings.host.gogc or "400",
        }
        if path := providers.configuration(self.settings, self.folder / "terraform.rc"):
            values["TF_CLI_CONFIG_FILE"] = str(path)
        return values

    def variables_files(self) -> tuple[Path, Path, Path]:
        """Return what follows from the settings, the environment's variables file, and what the settings say: it wins.

        They are in files because a variables file takes precedence over TF_VAR_* environment variables.
        """
        env = self.environment
        first = self.folder / "derived.tfvars.json"
        write_atomically(first, json.dumps(derived(self.settings, env), indent=1), 0o600)
        names = {"project": self.settings.project.name, "environment": env.name, "region": env.region}
        path = self.folder / "settings.tfvars.json"
        write_atomically(path, json.dumps({**env.variables, **names}, indent=1), 0o600)
        return first, self.sources.parent / env.variables_file, path

    def init(self) -> None:
        """Raises BadInput for the variables file, Precondition where bucket, registry or credentials are missing."""
        self._check_variables()
        self.bucket.require()
        backend = {"bucket": self.bucket.name, "key": self.bucket.key, "region": self.environment.region}
        try:
            self._run(terraform.init(self.sources, self.env, backend))
        except CommandFailed as problem:
            if FULL.search(problem.detail):
                raise DiskFull("the disk is full: Terraform cannot be initialised") from None
            hint = "it needs the provider registry, and AWS with this shell's credentials and AWS_* variables"
            raise Precondition("Terraform cannot be initialised", detail=problem.detail, hint=hint) from None

    def _check_variables(self) -> None:
        """Raise BadInput where the variables file is missing, or names another region than the settings do."""
        env = self.environment
        if env.variables_file not in self.snapshot.entries:
            hint = "copy the one of another environment and change it"
            raise BadInput(f"{env.variables_file} does not exist", hint=hint)
        text = (self.sources.parent / env.variables_file).read_text(encoding="utf-8")
        for match in REGION.finditer(text):
            if match[1] != env.region:
                where = f"{env.variables_file}:{text.count(chr(10), 0, match.start(1)) + 1}"
                raise BadInput(
                    f"{where}: region is {match[1]}, but `region` of {env.name} in longshore.toml is {env.region}",
                    hint="longshore.toml decides: write the right one there, and take the line out of the other file",
                )

    def validate(self) -> None:
        """Check format and validity; needs no state."""
        self._run(terraform.format_check(self.sources))
        self._run(terraform.init(self.sources, self.env))
        self._run(terraform.validate(self.sources, self.env))

    def plan(self, out: Path, **options: Any) -> bool:
        """Save a plan to OUT, readable by its owner alone; return whether it has changes. OPTIONS: `terraform.plan`."""
        out.parent.mkdir(parents=True, exist_ok=True)
        out.unlink(missing_ok=True)
        command = terraform.plan(self.sources, self.env, self.variables_files(), out, **options)
        out.touch(mode=0o600)
        result = self._run(command, check=False)
        if result.exit_code not in (0, 2):
            out.unlink()  # it may be incomplete
            raise self._plan_failure(result)
        out.chmod(0o600)
        return result.exit_code == 2

    def mocked(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """Return a plan of everything, with VARIABLES on top, made with a made-up AWS in a region of three zones."""
        self._run(terraform.init(self.sources, self.env))
        printed = self._run(terraform.mocked(self.sources, self.env, self.variables_files(), variables), check=False)
        return cost.mocked(printed.stdout)

    def show(self, plan: Path) -> dict[str, Any]:
        """Return PLAN as `terraform show -json` prints it, sensitive values included; no log has it."""
        printed = self._run(terraform.show(self.sources, self.env, plan)).stdout
        return msgspec.json.decode(printed, type=dict[str, Any])

    def apply(self, plan: Path, total: int, progress: Progress) -> dict[str, Any]:
        """Apply PLAN, which has TOTAL changes; return the outputs. Raises StateUnknown where it stopped half-way."""
        events = Events(total, progress)
        result = self._run(terraform.apply(self.sources, self.env, plan), on_line=events, check=False)
        if result.exit_code != 0 or _lock_lost(events):
            raise self._apply_failure(events, result)
        return plain(events.outputs)

    def resources(self) -> list[str]:
        self.init()
        return self._run(terraform.state_list(self.sources, self.env)).stdout.split()

    def unlock(self, lock: str) -> None:
        """Remove the state's lock with the id LOCK. Raises BadInput if that is not its id."""
        self.init()
        result = self._run(terraform.force_unlock(self.sources, self.env, lock), check=False)
        if result.exit_code != 0:
            sentence = f"the state of {self.environment.name} has no lock with the id {lock}"
            raise BadInput(sentence, detail=result.tail, hint="`infra.plan` prints the id when it meets a lock")

    def _run(self, command: Command, **options: Any) -> Result:
        """Run COMMAND, and remove what a provider that is ended leaves: its socket, whose path has to be short."""
        with tempfile.TemporaryDirectory(prefix="ls-", ignore_cleanup_errors=True) as folder:
            return self.runner.run(replace(command, env={**command.env, "TMPDIR": folder}), **options)

    def _plan_failure(self, result: Result) -> Failure:
        if FULL.search(result.tail):
            return DiskFull("the disk is full: Terraform could not save its plan; nothing was changed")
        if "Error acquiring the state lock" not in result.tail:
            return CommandFailed("terraform", result.exit_code, log=str(result.log), tail=result.tail)
        lock, name = dict(LOCK.findall(result.tail)), self.environment.name
        who, since = lock.get("Who", "an unknown run"), lock.get("Created", "an unknown time")[:19]
        operation = lock.get("Operation", "").removeprefix("OperationType").lower()
        return LockHeld(
            f"the state of {name} is locked by {who} since {since} (terraform {operation})",
            hint=f"wait for that run; if it is dead: `invoke infra.unlock {lock.get('ID', 'ID')} -e {name}`",
        )

    def _apply_failure(self, events: Events, result: Result) -> StateUnknown:
        name, changes = self.environment.name, f"{events.done} of {events.total} changes"
        if _lock_lost(events):
            return StateUnknown(
                f"the lock on {name}'s state was lost while Terraform made {changes}; "
                "another run may have changed the same resources",
                detail="\n".join(events.errors),
                hint=f"the state is saved; `invoke infra.drift -e {name}` compares it with AWS (log: {result.log})",
            )
        hint = f"the state is saved; plan and apply, or deploy, again to continue from there (log: {result.log})"
        if events.unknown:
            what = f"AWS has {', '.join(events.unknown)} already, made by hand or by an apply that lost AWS's answer"
            block = f"`to = {events.unknown[0]}`, `id` by the provider's documentation"
            hint = f"{what}: an `import` block in terraform/ ({block}) takes it over, or delete it in AWS; {hint}"
        return StateUnknown(
            f"Terraform stopped after {changes}", detail="\n".join(events.errors) or result.tail, hint=hint
        )


def _lock_lost(events: Events) -> bool:
    return bool(events.errors) and all("releasing the state lock" in error for error in events.errors)
