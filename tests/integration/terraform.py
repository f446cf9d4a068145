"""Terraform itself, on the project's sources and a local AWS."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.integration.account import BUCKET
from tests.integration.aws_process import REGION, ROOT
from tests.integration.terraform_row import Row

FOLDER = ROOT / "terraform"
NO_CHANGES, CHANGES = 0, 2
# Two nodes, so that minimum, desired and maximum can each change alone.
VARIABLES = ("-var-file=environments/local.tfvars", "-var=node_desired_size=2")


class Terraform:
    """Terraform on the project's sources for environment NAME, with this machine's mirror and its data in FOLDER."""

    def __init__(self, folder: Path, environment: dict[str, str], name: str = "local") -> None:
        self.folder, self.name = folder, name
        mirrors = sorted(Path("/").glob("opt/*/registry.terraform.io/hashicorp/aws"))
        assert shutil.which("terraform"), "there is no terraform on the PATH"
        assert mirrors, "there is no folder mirror of hashicorp/aws under /opt"
        config = folder / "terraform.rc"
        config.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirrors[0].parents[2]}" }}\n}}\n')
        self.environment = environment | {
            "TF_CLI_CONFIG_FILE": str(config),
            "TF_DATA_DIR": str(folder / "data"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "GOGC": "400",  # takes a fifth less time and a few hundred MiB more
            "TF_VAR_environment": self.name,
            "TF_VAR_region": REGION,
            "TF_VAR_http_port": "8080",
            "TF_VAR_https_port": "8443",
        }

    def run(self, *words: str, accepted: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        """Run `terraform WORDS` and return its result; any other exit code than ACCEPTED fails the test."""
        done = subprocess.run(
            ["terraform", f"-chdir={FOLDER}", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode in accepted, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def init(self) -> None:
        """Use the bucket for the state, which has to exist."""
        backend = {"bucket": BUCKET, "key": f"{self.name}/terraform.tfstate", "region": REGION}
        settings = [f"-backend-config={key}={value}" for key, value in backend.items()]
        self.run("init", "-input=false", "-no-color", "-lockfile=readonly", *settings)

    def plan(self, *words: str) -> int:
        """Return whether there are changes, as Terraform's exit code; a plan that fails, fails the test."""
        options = ("-input=false", "-no-color", "-detailed-exitcode", *VARIABLES)
        return self.run("plan", *options, *words, accepted=(NO_CHANGES, CHANGES)).returncode

    def changes(self, name: str, row: Row) -> tuple[set[str], str]:
        """Plan with the VALUE of ROW for the variable NAME; return the changes as `ACTION ADDRESS`, and the errors."""
        options = ("-input=false", "-json", "-lock=false", f"-refresh={str(row.refresh).lower()}", *VARIABLES)
        done = self.run("plan", *options, f"-var={name}={row.value}", accepted=(1,) if row.refused else (0,))
        changes, errors = set(), ""
        for event in map(json.loads, done.stdout.splitlines()):
            if event["type"] == "planned_change" and event["change"]["action"] not in ("noop", "read"):
                changes.add(f"{event['change']['action']} {event['change']['resource']['addr']}")
            if event["type"] == "outputs":
                outputs = event["outputs"].items()
                changes |= {f"{new['action']} output.{name}" for name, new in outputs if new["action"] != "noop"}
            if event["type"] == "diagnostic":
                errors += event["@message"]
        return changes, errors
