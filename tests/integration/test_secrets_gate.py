"""The real scanner of secrets: it reads a file once, and again when it has changed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.errors import GateFailed
from longshore.gates.run import Gates
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.snapshot.take import take

ROOT = Path(__file__).parents[2]
KEY = "AKIA" + "QYLPMN5HHHFPZAM2"


class Reading(Runner):
    """A runner that records which files the scanner gets."""

    given: tuple[str, ...] = ()

    def run(self, command, **options):  # type: ignore[no-untyped-def]
        if "detect_secrets.pre_commit_hook" in command.argv:
            self.given += command.argv[command.argv.index("--") + 1 : -1]
        return super().run(command, **options)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "longshore.toml").write_text((ROOT / "longshore.toml").read_text())
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "One")):
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True)
    return tmp_path


def accept(project: Path) -> None:
    """Do as the hint says."""
    tool = Path(sys.executable).parent / "detect-secrets"
    found = subprocess.run([tool, "scan"], cwd=project, capture_output=True, text=True, check=True)
    (project / ".secrets.baseline").write_text(found.stdout)


def scan(project: Path, environ: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    runner, settings = Reading(environ), load(project, environ)
    snapshot = take(settings, runner)
    return Gates(settings, runner, lambda: snapshot).secrets(), runner.given


def test_a_file_is_read_once_and_again_when_it_changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = dict(os.environ)
    assert scan(project, environ) == ("3 files", ("a.py", "b.py", "longshore.toml"))
    assert scan(project, environ) == ("3 files", ())
    (project / "b.py").write_text(f"key = '{KEY}'\n")
    for _ in range(2):
        with pytest.raises(GateFailed) as refused:
            scan(project, environ)
        assert "b.py:1: AWS Access Key" in refused.value.detail
    (project / "b.py").write_text("x = 2\n")
    assert scan(project, environ) == ("3 files", ("b.py",))


def test_a_file_under_another_name_is_read_again(project: Path) -> None:
    environ = dict(os.environ)
    scan(project, environ)
    (project / "a.py").rename(project / "c.py")
    assert scan(project, environ)[1] == ("c.py",)


def test_a_file_is_read_whatever_it_is_called(project: Path) -> None:
    names = [os.fsdecode(b"latin-\xe9.txt"), "-notes.txt", "--json", "a\nb.txt", "@list", "$(id)"]
    for name in names:
        (project / name).write_text("x\n")
    assert scan(project, dict(os.environ))[0] == "9 files"
    for name in names:
        (project / name).write_text(f"key = '{KEY}'\n")
        with pytest.raises(GateFailed) as refused:
            scan(project, dict(os.environ))
        assert ":1: AWS Access Key" in refused.value.detail
        (project / name).write_text("x\n")


@pytest.mark.parametrize("name", ["uv.lock", "shop/pylock.toml", "pylock.web.toml"])
def test_hashes_of_a_lock_are_no_secrets(project: Path, name: str) -> None:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text(f'hashes = {{ sha256 = "{hashlib.sha256(b"flask").hexdigest()}" }}\n')
    assert scan(project, dict(os.environ))[0] == "3 files"


def test_more_names_than_one_command_line_holds_are_read_in_parts(project: Path) -> None:
    folder = project.joinpath(*("a-folder-with-a-long-name-" * 9,) * 8)
    folder.mkdir(parents=True)
    for number in range(1400):  # 2.7 MB of names
        (folder / f"{number}.txt").write_text("x\n")
    (folder / "z.txt").write_text(f"key = '{KEY}'\n")
    with pytest.raises(GateFailed, match="1 possible secret") as refused:
        scan(project, dict(os.environ))
    assert "z.txt:1: AWS Access Key" in refused.value.detail
    (folder / "z.txt").unlink()
    note, given = scan(project, dict(os.environ))
    assert note == "1403 files"
    assert len(set(given)) == len(given) == 1403


def test_test_passwords_that_a_baseline_accepts_pass_wherever_they_move(project: Path) -> None:
    environ, tests = dict(os.environ), project / "test_login.py"
    tests.write_text('PASSWORD = "correct-horse-battery"\n')  # pragma: allowlist secret
    with pytest.raises(GateFailed, match="1 possible secret") as refused:
        scan(project, environ)
    assert ".secrets.baseline" in refused.value.hint
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    accept(project)
    assert scan(project, environ)[0] == "4 files, 1 finding accepted by .secrets.baseline"
    assert scan(project, environ)[1] == ()
    tests.write_text(f"# moved\n\n{tests.read_text()}")
    assert scan(project, environ)[1] == ("test_login.py",)
    tests.write_text(f"{tests.read_text()}KEY = '{KEY}'\n")
    with pytest.raises(GateFailed, match="1 possible secret") as refused:
        scan(project, environ)
    assert refused.value.detail == "test_login.py:4: AWS Access Key"


def test_what_a_baseline_no_longer_accepts_is_found_again(project: Path) -> None:
    (project / "test_login.py").write_text('PASSWORD = "correct-horse-battery"\n')  # pragma: allowlist secret
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    accept(project)
    scan(project, dict(os.environ))
    baseline = project / ".secrets.baseline"
    document = json.loads(baseline.read_text())
    document["results"]["test_login.py"][0]["is_secret"] = True  # as `detect-secrets audit` says it
    for text in (json.dumps(document), json.dumps(document | {"results": {}}), None):
        baseline.write_text(text) if text else baseline.unlink()
        with pytest.raises(GateFailed, match="1 possible secret"):
            scan(project, dict(os.environ))
    baseline.write_text("[1]")
    with pytest.raises(GateFailed, match="is no baseline of detect-secrets"):
        scan(project, dict(os.environ))


def test_ids_of_revisions_are_no_secrets_and_keys_beside_them_are(project: Path) -> None:
    revision = project / "migrations/versions/1975ea83b712_users.py"
    revision.parent.mkdir(parents=True)
    text = (
        '"""Users\n\nRevision ID: 1975ea83b712\n"""\n'
        "revision: str = '1975ea83b712'\n"  # pragma: allowlist secret
        'down_revision: Union[str, Sequence[str], None] = "ae1027a6acf0"\n'
        "down_revision = ('ae1027a6acf0', '27c6a30d7c24')\n"  # pragma: allowlist secret
        "depends_on = None\n"
    )
    revision.write_text(text)
    assert scan(project, dict(os.environ))[0] == "4 files"
    for line in ("password = '1975ea83b712'\n", f"revision = '{KEY}'\n"):  # pragma: allowlist secret
        revision.write_text(text + line)
        with pytest.raises(GateFailed, match="possible secret"):
            scan(project, dict(os.environ))


def test_locks_are_not_examined_and_what_is_called_alike_is(project: Path) -> None:
    line = f'hash = "{"0123456789abcdef" * 2}fedc"\nkey = "{KEY}"\n'
    (project / "backend").mkdir()
    for name in ("uv.lock", "pylock.toml", "backend/Pipfile.lock"):
        (project / name).write_text(line)
    assert scan(project, dict(os.environ))[0] == "3 files"
    (project / "pylock.toml.txt").write_text(line)
    with pytest.raises(GateFailed):
        scan(project, dict(os.environ))
