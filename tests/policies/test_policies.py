"""What scanners say of terraform/, k8s/ and the rendered policies is nothing, or in exceptions.toml with a reason."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.aws_process import ROOT

pytestmark = pytest.mark.slow

EXCEPTIONS = tomllib.loads((Path(__file__).parent / "exceptions.toml").read_text(encoding="utf-8"))
OVERLAYS = ("overlays/production", "overlays/staging", "cluster-autoscaler")
Tool = Callable[[str], Path]
Found = set[tuple[str, str]]


def excepted(scanner: str, *beginnings: str) -> Found:
    """Return the exceptions of SCANNER as (check, what it is about), those whose check begins as told."""
    return {
        (check, of)
        for entry in EXCEPTIONS[scanner]
        for check in entry["check"].split()
        if check.startswith(beginnings)
        for of in entry["of"]
    }


def checkov(tool: Tool, folder: Path, framework: str) -> Found:
    """Return what checkov finds in FOLDER. It asks nobody for anything."""
    argv = [str(tool("checkov") / "checkov"), "--directory", str(folder), "--framework", framework]
    argv += ["--output=json", "--skip-download", "--download-external-modules=false", "--soft-fail"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    assert results["summary"]["passed"] > 50, "it looked at something"
    assert results["summary"]["parsing_errors"] == 0
    return {(each["check_id"], each["resource"]) for each in results["results"]["failed_checks"]}


def test_every_exception_has_a_reason() -> None:
    entries = [entry for entries in EXCEPTIONS.values() for entry in entries]
    assert all(set(entry) == {"check", "of", "reason"} for entry in entries)
    assert all(len(entry["reason"]) > 20 for entry in entries)


def test_checkov_finds_nothing_in_terraform_that_has_no_reason(tool: Tool) -> None:
    assert checkov(tool, ROOT / "terraform", "terraform") == excepted("checkov", "CKV_AWS", "CKV2_AWS")


def test_checkov_finds_nothing_in_what_kubernetes_gets_that_has_no_reason(tool: Tool, tmp_path: Path) -> None:
    for overlay in OVERLAYS:
        argv = ["kubectl", "kustomize", str(ROOT / "k8s" / overlay)]
        rendered = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout
        (tmp_path / f"{overlay.replace('/', '-')}.yaml").write_text(rendered)
    assert checkov(tool, tmp_path, "kubernetes") == excepted("checkov", "CKV_K8S", "CKV2_K8S")


def test_parliament_finds_nothing_in_the_rendered_policies_that_has_no_reason(
    tool: Tool, documents: dict[str, Any], tmp_path: Path
) -> None:
    # A trust policy names no resource, which parliament does not know.
    policies = {name: text for name, text in documents.items() if not name.endswith("assume_role_policy")}
    assert len(policies) > 8
    names = {}
    for number, (name, document) in enumerate(policies.items()):
        names[f"{number}.json"] = name
        (tmp_path / f"{number}.json").write_text(json.dumps(document))
    argv = [str(tool("parliament") / "parliament"), "--directory", str(tmp_path), "--json"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = {(row["issue"], names[Path(row["location"]["filepath"]).name]) for row in rows}
    assert found == excepted("parliament", ""), done.stderr[-2000:]


@pytest.mark.parametrize("action", ["s3:GetObjekt", "eks:DescribeClusters"])
def test_parliament_knows_an_action_that_does_not_exist(tool: Tool, tmp_path: Path, action: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": "arn:aws:s3:::a/b"}
    (tmp_path / "a.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    argv = [str(tool("parliament") / "parliament"), "--directory", str(tmp_path), "--json"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    assert re.search("UNKNOWN_ACTION", done.stdout), done.stdout + done.stderr
