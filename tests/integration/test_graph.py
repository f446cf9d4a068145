"""The graph with real tools: the local AWS, own steps, Invoke."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.aws_process import REGION, AwsProcess

ROOT = Path(__file__).parents[2]
SETTINGS = """
[project]
name = "shop"
[environments.blue.local]
aws_port = 9999
[steps.count]
run = ["sh", "-c", "cat src/*.txt > counted.xml; echo run >> runs; echo counted"]
reads = ["src"]
reports = ["counted.xml"]
group = "lint"
[cache]
remote = "s3://results/ci"
account = "123456789012"
write = "{write}"
"""


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsProcess]:
    process = AwsProcess(tmp_path / "state")
    process.start()
    region = {"LocationConstraint": REGION}
    process.client("s3").create_bucket(Bucket="results", CreateBucketConfiguration=region)
    yield process
    process.end(kill=True)


class Checkout:
    def __init__(self, folder: Path, aws: AwsProcess, write: str) -> None:
        self.folder, self.environ = (
            folder,
            aws.environment | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder.parent / "state")},
        )
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "a.txt").write_text("one\n")
        (folder / "longshore.toml").write_text(SETTINGS.format(write=write))
        (folder / "tasks.py").write_text((ROOT / "tasks.py").read_text())
        (folder / ".gitignore").write_text("/.longshore/\ncounted.xml\nruns\n")
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "One")

    def invoke(self, *words: str, **environ: str) -> tuple[int, Any, str]:
        argv = [sys.executable, "-m", "invoke", *words]
        done = subprocess.run(
            argv, cwd=self.folder, env=self.environ | environ, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def count(self, **environ: str) -> tuple[Any, str]:
        """Run the step called `count` unless it is up to date; return the JSON document and the messages."""
        code, report, err = self.invoke("lint", "--json", "--keep-going", **environ)
        assert code in (0, 2, 3, 5), err
        return report, err

    @property
    def runs(self) -> int:
        path = self.folder / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_result_of_one_checkout_serves_another_and_only_trusted_refs_share(tmp_path: Path, aws: AwsProcess) -> None:
    branch = Checkout(tmp_path / "branch", aws, "protected")
    branch.count()
    assert branch.runs == 1
    assert aws.client("s3").list_objects_v2(Bucket="results").get("KeyCount") == 0, "not a protected ref"

    main = Checkout(tmp_path / "main", aws, "protected")
    main.count(GITLAB_CI="true", CI_COMMIT_REF_PROTECTED="true")
    assert main.runs == 1

    laptop = Checkout(tmp_path / "laptop", aws, "protected")
    report, _ = laptop.count()
    assert report["skipped"]["count"] == "known from an earlier run"
    assert laptop.runs == 0
    assert (laptop.folder / "counted.xml").read_text() == "one\n", "its report came with it"

    (laptop.folder / "src" / "a.txt").write_text("two\n")
    laptop.count()
    assert laptop.runs == 1


def test_a_result_that_was_changed_in_the_bucket_is_ignored(tmp_path: Path, aws: AwsProcess) -> None:
    Checkout(tmp_path / "one", aws, "always").count()
    s3 = aws.client("s3")
    for item in s3.list_objects_v2(Bucket="results", Prefix="ci/blobs/")["Contents"]:
        s3.put_object(Bucket="results", Key=item["Key"], Body=b"somebody else's\n")
    other = Checkout(tmp_path / "other", aws, "never")
    _, err = other.count()
    assert "corrupt" in err
    assert other.runs == 1
    assert (other.folder / "counted.xml").read_text() == "one\n"


def test_with_a_key_a_result_of_somebody_without_it_is_not_taken(tmp_path: Path, aws: AwsProcess) -> None:
    Checkout(tmp_path / "stranger", aws, "always").count()
    ours = Checkout(tmp_path / "ours", aws, "always")
    _, err = ours.count(LONGSHORE_RESULTS_KEY="correct horse")
    assert "is not signed with the key" in err
    assert "correct horse" not in err
    assert ours.runs == 1
    colleague = Checkout(tmp_path / "colleague", aws, "always")
    report, _ = colleague.count(LONGSHORE_RESULTS_KEY="correct horse")
    assert report["skipped"]["count"] == "known from an earlier run"
    assert colleague.runs == 0


def test_a_bucket_that_does_not_answer_costs_only_a_warning(tmp_path: Path, aws: AwsProcess) -> None:
    checkout = Checkout(tmp_path / "one", aws, "always")
    _, err = checkout.count(AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert err.count("ignoring the shared cache") == 1
    assert checkout.runs == 1
    assert os.path.exists(checkout.folder / "counted.xml")


def imported(folder: Path, *words: str) -> set[str]:
    """Return the modules that `invoke WORDS` imports in FOLDER."""
    argv = [sys.executable, "-X", "importtime", "-m", "invoke", *words]
    output = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=60).stderr
    return {line.rpartition("|")[2].strip() for line in output.splitlines() if line.startswith("import time:")}


def test_listing_imports_no_library_that_invoke_itself_does_not(tmp_path: Path) -> None:
    """`python -m benchmarks.graph` prints what it costs, beside Invoke alone."""
    (tmp_path / "tasks.py").write_text("")
    own, empty = imported(ROOT, "--list"), imported(tmp_path, "--list")
    assert "longshore.tasks" in own
    assert "invoke.program" in own & empty
    ours = re.compile(r"longshore(\.(errors|graph(\.steps)?|process(\.command)?|(commands|tasks)(\.\w+)?))?")
    others = {name for name in own - empty if not ours.fullmatch(name)}
    assert others <= {"__future__", "gc", "graphlib", "tasks"}  # only the third takes time


def test_what_changed_is_named_and_a_dry_run_runs_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.txt").write_text("one\n")
    (folder / "longshore.toml").write_text(SETTINGS.partition("[cache]")[0])
    (folder / "tasks.py").write_text((ROOT / "tasks.py").read_text())
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "One")

    def invoke(*words: str) -> Any:
        argv = [sys.executable, "-m", "invoke", *words, "--json"]
        environ = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder.parent / "state")}
        done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)
        return json.loads(done.stdout)

    def why() -> Any:
        return invoke("explain", "count", "-e", "blue")["steps"][0]

    assert (why()["runs"], why()["reason"]) == (True, "it has not succeeded here yet")
    invoke("lint", "--keep-going")
    assert (why()["runs"], why()["changed"]) == (False, [])
    (folder / "src" / "a.txt").write_text("two\n")
    assert [change["input"] for change in why()["changed"]] == ["src/a.txt"]
    assert "count" in invoke("lint", "--dry-run")["would_run"]
    assert (folder / "runs").read_text() == "run\n"
    names = [step["name"] for step in invoke("graph", "-e", "blue")["steps"]]
    assert names.index("count") < names.index("release")


def test_two_runs_within_a_second_have_logs_of_their_own() -> None:
    loop = "for _ in 'abc':\n with Session() as session: print(session.runner.log_dir)"
    program = f"from longshore.tasks.session import Session\n{loop}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert len(set(done.stdout.split())) == 3
