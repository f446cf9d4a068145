"""What the scanners of policies look at, and the scanners: each in a virtualenv of its own, pinned with hashes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.account import BUCKET
from tests.integration.aws_process import ACCOUNT, REGION, ROOT, AwsProcess
from tests.integration.terraform import Terraform

Documents = dict[str, Any]
VARIABLES = ("-var-file=environments/production.tfvars", f'-var=allowed_account_ids=["{ACCOUNT}"]')


@pytest.fixture(scope="session")
def tool() -> Callable[[str], Path]:
    """Return a function that returns the folder of programs of the tool with a lock in requirements/."""

    def install(name: str) -> Path:
        lock = ROOT / "requirements" / f"{name}.txt"
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        home = cache / "longshore" / "tools" / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
        if not (home / "installed").exists():
            uv = str(Path(sys.executable).with_name("uv"))
            for words in (("venv", "--clear", str(home)), ("pip", "install", f"--python={home}", "--require-hashes")):
                more = ("-r", str(lock)) if words[0] == "pip" else ()
                subprocess.run([uv, *words, *more, "--quiet"], check=True, timeout=600)
            (home / "installed").touch()
        return home / "bin"

    return install


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Documents:
    """Every policy of production as Terraform renders it, by the address of its resource and the attribute."""
    folder = tmp_path_factory.mktemp("plan")
    aws = AwsProcess(folder / "state")
    aws.start()
    try:
        aws.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        production = Terraform(folder, aws.environment, "production")
        production.init()
        plan = folder / "saved"
        production.run("plan", "-input=false", "-lock=false", "-no-color", *VARIABLES, f"-out={plan}")
        shown = json.loads(production.run("show", "-json", str(plan)).stdout)
    finally:
        aws.end(kill=True)
    found = {}
    for change in (each for each in shown["resource_changes"] if not each["type"].startswith("aws_ecr_")):
        for attribute, text in (change["change"]["after"] or {}).items():
            if attribute in ("policy", "assume_role_policy", "access_policy") and isinstance(text, str):
                found[f"{change['address']} {attribute}"] = json.loads(text)
    return found
