"""Twelve secrets, planted where a run learns of them and printed in every way, are in nothing that a run leaves."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.console.lines import Console
from longshore.errors import CommandFailed
from longshore.process.command import Secret, query
from longshore.process.redaction import Redactor
from longshore.process.runner import Runner
from longshore.report import saved
from longshore.report.document import Document, Failed, Finding, Step
from tests.integration import repositories
from tests.spelling import FORMS, leaked

KEY = "-----BEGIN PRIVATE KEY-----\n{}\n{}\nfQ==\n-----END PRIVATE KEY-----\n".format(  # pragma: allowlist secret
    "MC4CAQAwBQYDK2VwBCIEIJfYxRpdj1TqRcUgHFOCpnUxzlkHvBPXjDqYbFyTnZ0s",  # pragma: allowlist secret
    "aQ9sPq0WmXoRk3EJZ2uVtBvZyEw0hVdLrFLx8cJpGzq4uKdYtYf1XvWmHnCeSgRb",  # pragma: allowlist secret
)
AMBIENT = {  # known by the names of the variables
    "CI_JOB_TOKEN": "glcbt-64_Xp2vQ9sLmT4rWz8",  # pragma: allowlist secret
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzq3TuVw8Xy",  # pragma: allowlist secret
    "AWS_SESSION_TOKEN": base64.b64encode(bytes(range(7, 255)) * 2).decode(),
    "LONGSHORE_PLAN_KEY": "3q2-7wAAq83vEjRWeJq83vEjRWeJq83vEjRWeJq83v0=",
    "PIP_INDEX_URL": "https://ada:p%40ss-of-seed@pypi.example/simple",  # pragma: allowlist secret
}
DECLARED = {  # known since a command has them
    "DATABASE_URL": "postgres://app:x\"y'z\\w&<v>%u@db/shop?sslmode=require",
    "PASSPHRASE": "correct horse battery staple",
    "UMLAUTS": "größer-als-€100-😀",
    "PRIVATE": KEY,
    "SHORT": "s3cr!t",
}
READ = ["hunter2-hunter2", "hunter2-hunter2-and-more"]  # known since Python read them; one is the other's beginning
ALL = [*AMBIENT.values(), *DECLARED.values(), *READ]
SECRETS = [value if "://ada" not in value else "p%40ss-of-seed" for value in ALL]

# Prints the values and forms that it reads: as they are, wrapped, in parts with a pause, partly in colour.
PRINTER = """
import base64, json, os, sys, time
values, forms = json.load(sys.stdin)
for text in values:
    sys.stdout.write(base64.encodebytes(b"user:" + text.encode()).decode())
    sys.stdout.write(base64.encodebytes(json.dumps({"password": text}).encode()).decode())
for text in forms:
    print("value:", text, flush=True)
    data = text.encode()
    for stream, part in ((1, data[:5]), (1, data[5:]), (1, b"\\n")):
        os.write(stream, part)
    print("\\x1b[31m" + text[:4] + "\\x1b[1m" + text[4:] + "\\x1b[0m", flush=True)
print({name: os.environ[name] for name in sys.argv[1:]}, file=sys.stderr)
os.write(1, text[:6].encode()); time.sleep(0.3); os.write(1, text[6:].encode() + b"\\n")
sys.exit(3)
"""


def leaks(text: str) -> list[str]:
    """Return the forms of SECRETS, and of the lines of the key, that are in TEXT."""
    return leaked(text, [*SECRETS, *KEY.splitlines()[1:3]])


@pytest.mark.parametrize("survives", [False, True])
def test_nothing_that_a_run_leaves_holds_a_secret_in_any_form(tmp_path: Path, survives: bool) -> None:
    assert len(SECRETS) == 12
    work, screen, redactor = tmp_path / ".longshore", io.StringIO(), Redactor()
    console = Console(ci=True, folds="gitlab", stream=screen, clean=redactor.text)
    runner = Runner({"PATH": "/usr/bin:/bin", **AMBIENT}, log_dir=work / "logs" / "run", redactor=redactor)
    redactor.add(*map(Secret, READ))
    printed = json.dumps([SECRETS, [form(value) for value in SECRETS for form in FORMS]])
    command = query(
        sys.executable,
        "-c",
        PRINTER,
        *AMBIENT,
        *DECLARED,
        env={name: Secret(value) for name, value in DECLARED.items()},
        stdin=printed,
        survives=survives,
        takes=tuple(AMBIENT),
    )
    # A tool writes a report of its own.
    report = work / "report"
    report.mkdir(parents=True)
    (report / "junit-service.xml").write_text("\n".join(form(value) for value in SECRETS for form in FORMS))

    console.started("tests", f"run with {SECRETS[0]}")
    with runner.step("tests") as log, pytest.raises(CommandFailed) as caught:
        runner.run(command, on_line=lambda line: (console.progress("tests", line), console.line(line)))
    failure = caught.value
    console._running["tests"].printed_at -= 60
    console.tick()
    console.finished("tests", f"failed: {SECRETS[5]}", ok=False, log=log)
    console.failure(failure, "tests", log)
    console.summary([("database", SECRETS[5])])
    everything = "\n".join(SECRETS)
    made = Document(
        command=f"test {SECRETS[1]}",
        started="2026-11-28T10:00:00+00:00",
        seconds=1.0,
        exit_code=5,
        cores=2,
        facts={"url": f"https://{SECRETS[2]}"},
        failure=Failed(step="tests", sentence=failure.sentence, hint=everything, detail=failure.detail + everything),
        steps=(Step(name="tests", title=everything, outcome="failed", reason=everything, ended=1.0),),
        findings=(Finding(tool="bandit", severity="high", file=SECRETS[0], line=1, text=everything),),
    )
    saved.save(report, made, redactor)

    files = [path for path in work.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        "tests.log",
        "junit-service.xml",
        "report.json",
        "report.md",
        "findings.sarif",
        "index.html",
    }
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (work / "logs", work / "logs" / "run", report)} == {0o700}
    for path in files:
        assert leaks(path.read_text()) == [], path.name
    assert leaks(screen.getvalue()) == []
    assert leaks(str(failure) + failure.detail) == []
    assert screen.getvalue().count("[redacted]") > 100
    assert len((report / "report.json").read_text()) > 1000


def test_a_password_in_longshore_toml_is_in_nothing_that_a_run_leaves(tmp_path: Path) -> None:
    production = '[environments.production]\nprotected = true\naccount = "222222222222"\n'
    remote = 'remote = "https://ada:hunter2-hunter2@127.0.0.1:9/shop.git"\n'  # pragma: allowlist secret
    (tmp_path / "longshore.toml").write_text(f'[project]\nname = "shop"\n{production}{remote}')
    (tmp_path / "tasks.py").write_text("from longshore.tasks import collection\nns = collection()\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "application").mkdir()
    (tmp_path / "application" / "app.py").touch()
    repositories.git(tmp_path, "init", "--quiet")
    repositories.commit(tmp_path)
    env = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")}
    env |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "CI": "true"}
    argv = [sys.executable, "-m", "invoke", "release.apply", "-e", "production"]
    ended = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "https://ada:[redacted]@127.0.0.1" in ended.stdout
    left = [
        path.read_text() for path in (tmp_path / ".longshore").rglob("*") if path.suffix in (".log", ".json", ".html")
    ]
    assert left
    for text in (ended.stdout, ended.stderr, *left):
        assert not leaked(text, READ[:1])
    spoilt = (tmp_path / "longshore.toml").read_text().replace("shop.git", "shop.git\\u0000")
    (tmp_path / "longshore.toml").write_text(spoilt.replace("remote =", "region ="))
    ended = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert not leaked(ended.stdout + ended.stderr, READ[:1])
