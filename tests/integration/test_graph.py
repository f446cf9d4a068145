"""The graph with real tools: git, the local AWS, programs of one's own, Invoke and Nox."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.steps import tree
from longshore.steps.tree import Tree
from tests.integration.aws_process import AwsProcess

ROOT = Path(__file__).parents[2]
SETTINGS = """
[project]
name = "shop"
[environments.blue]
[steps.count]
run = ["sh", "-c", "cat src/*.txt > counted.xml; echo run >> runs; echo counted"]
reads = ["src"]
reports = ["counted.xml"]
group = "lint"
[cache]
remote = "s3://results/ci"
write = "{write}"
"""


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def listed(folder: Path) -> Tree:
    return Tree(
        folder,
        folder / ".longshore",
        lambda: git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"),
    )


def hashes(folder: Path) -> dict[str, str]:
    files = listed(folder)
    found = files.hashes(files.names())
    files.save()
    return found


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / ".gitignore").write_text("*.log\n/.longshore/\n")
    (folder / "a.py").write_text("one")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "One")
    return folder


def test_untracked_files_count_and_ignored_ones_do_not(repository: Path) -> None:
    before = hashes(repository)
    (repository / "noise.log").write_text("x")
    assert hashes(repository) == before
    (repository / "new.py").write_text("x")
    assert set(hashes(repository)) - set(before) == {"new.py"}
    (repository / "a.py").unlink()
    assert "a.py" not in hashes(repository), "tracked, but not there"


def test_a_checkout_of_a_file_of_the_same_size_is_seen_at_once(repository: Path) -> None:
    (repository / "a.py").write_text("two")
    git(repository, "commit", "-qam", "Two")
    for _ in range(5):  # within the same tick of the clock, most likely
        two = hashes(repository)
        git(repository, "checkout", "-q", "HEAD~1")
        one = hashes(repository)
        git(repository, "checkout", "-q", "main")
        assert one["a.py"] != two["a.py"]


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in range(100):
        (tmp_path / f"d{folder}").mkdir()
        for number in range(10):
            (tmp_path / f"d{folder}" / f"f{number}.py").write_text(f"{folder} {number}\n")
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("/.longshore/\n")
    git(tmp_path, "add", ".")
    time.sleep(0.1)  # what changed within the clock's last tick is read again, for safety
    read: list[str] = []
    content = tree._content
    monkeypatch.setattr(tree, "_content", lambda path, mode: read.append(path) or content(path, mode))
    first = hashes(tmp_path)
    assert len(first) == len(read) == 1001
    read.clear()
    assert hashes(tmp_path) == first
    assert read == []


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsProcess]:
    one = AwsProcess(tmp_path / "state")
    one.start()
    region = {"LocationConstraint": "eu-central-1"}
    one.client("s3").create_bucket(Bucket="results", CreateBucketConfiguration=region)
    yield one
    one.end(kill=True)


class Checkout:
    def __init__(self, folder: Path, aws: AwsProcess, write: str) -> None:
        self.folder, self.environ = folder, aws.environment | {"PYTHONPATH": str(ROOT)}
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "a.txt").write_text("one\n")
        (folder / "longshore.toml").write_text(SETTINGS.format(write=write))
        (folder / "tasks.py").write_text((ROOT / "tasks.py").read_text())
        (folder / ".gitignore").write_text("/.longshore/\ncounted.xml\nruns\n")
        git(folder, "init", "-q")

    def invoke(self, *words: str, **environ: str) -> tuple[int, Any, str]:
        argv = [sys.executable, "-m", "invoke", *words]
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def count(self, **environ: str) -> tuple[Any, str]:
        """Have the step called `count` looked at and run if need be; return what became of it, and what was said."""
        code, said, err = self.invoke("lint", "--json", "--keep-going", **environ)
        assert code in (0, 2, 3, 5), err
        return said, err

    @property
    def runs(self) -> int:
        path = self.folder / "runs"
        return len(path.read_text().splitlines()) if path.exists() else 0


def test_a_result_of_one_checkout_serves_another_and_only_trusted_refs_share(
    tmp_path: Path, aws: AwsProcess
) -> None:
    branch = Checkout(tmp_path / "branch", aws, "protected")
    branch.count()
    assert branch.runs == 1
    assert aws.client("s3").list_objects_v2(Bucket="results").get("KeyCount") == 0, "not a protected ref"

    main = Checkout(tmp_path / "main", aws, "protected")
    main.count(CI_COMMIT_REF_PROTECTED="true")
    assert main.runs == 1

    laptop = Checkout(tmp_path / "laptop", aws, "protected")
    said, _ = laptop.count()
    assert said["skipped"]["count"] == "known from an earlier run"
    assert laptop.runs == 0
    assert (laptop.folder / "counted.xml").read_text() == "one\n", "its report came with it"

    (laptop.folder / "src" / "a.txt").write_text("two\n")
    laptop.count()
    assert laptop.runs == 1


def test_what_was_tampered_with_in_the_bucket_is_left_out(tmp_path: Path, aws: AwsProcess) -> None:
    Checkout(tmp_path / "one", aws, "always").count()
    s3 = aws.client("s3")
    for thing in s3.list_objects_v2(Bucket="results", Prefix="ci/blobs/")["Contents"]:
        s3.put_object(Bucket="results", Key=thing["Key"], Body=b"somebody else's\n")
    other = Checkout(tmp_path / "other", aws, "never")
    _, err = other.count()
    assert "damaged" in err
    assert other.runs == 1
    assert (other.folder / "counted.xml").read_text() == "one\n"


def test_a_bucket_that_is_away_costs_a_warning(tmp_path: Path, aws: AwsProcess) -> None:
    checkout = Checkout(tmp_path / "one", aws, "always")
    _, err = checkout.count(AWS_ENDPOINT_URL="http://127.0.0.1:1")
    assert err.count("cannot be used, so it is left out") == 1
    assert checkout.runs == 1
    assert os.path.exists(checkout.folder / "counted.xml")


def imported(folder: Path, *words: str) -> set[str]:
    """Return the modules that `invoke WORDS` imports in FOLDER."""
    argv = [sys.executable, "-X", "importtime", "-m", "invoke", *words]
    told = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=60).stderr
    return {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}


def test_listing_imports_no_library_that_invoke_itself_does_not(tmp_path: Path) -> None:
    """What it costs beside Invoke alone, `python -m benchmarks.graph` prints."""
    (tmp_path / "tasks.py").write_text("")
    own, empty = imported(ROOT, "--list"), imported(tmp_path, "--list")
    assert "longshore.tasks" in own
    assert "invoke.program" in own & empty
    ours = re.compile(r"longshore(\.(command|commands|errors|steps|tasks)\b.*)?")
    others = {name for name in own - empty if not ours.fullmatch(name)}
    assert others <= {"__future__", "gc", "graphlib", "tasks"}  # all but the third cost nothing


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
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            argv, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        return json.loads(done.stdout)

    def why() -> Any:
        return invoke("explain", "count", "-e", "blue")["steps"][0]

    assert (why()["runs"], why()["reason"]) == (True, "it has never succeeded here")
    invoke("lint", "--keep-going")
    assert (why()["runs"], why()["changed"]) == (False, [])
    (folder / "src" / "a.txt").write_text("two\n")
    assert [one["input"] for one in why()["changed"]] == ["src/a.txt"]
    assert "count" in invoke("lint", "--dry-run")["would_run"]
    assert (folder / "runs").read_text() == "run\n"
    names = [step["name"] for step in invoke("graph", "-e", "blue")["steps"]]
    assert names.index("count") < names.index("release")


def test_two_runs_within_a_second_have_logs_of_their_own() -> None:
    program = "from longshore.tasks.session import Opened\nfor _ in 'abc':\n with Opened() as run: print(run.runner.log_dir)"
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert len(set(said.stdout.split())) == 3
