"""Forty secrets, planted where a team has them, are in nothing that is left of checks, deploys and a rollback.

What the cluster and AWS keep for themselves (etcd, Secrets Manager, what a pod wrote to its own log) is theirs to keep.
"""

from __future__ import annotations

import base64
import configparser
import gzip
import json
import secrets
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.e2e.project import Project, Ran, git
from tests.spelling import leaked

HEAD, TAIL = "-----BEGIN PRIVATE KEY-----\n", "\n-----END PRIVATE KEY-----\n"  # pragma: allowlist secret


def made(kind: str, length: int = 24) -> str:
    return f"{kind}-{secrets.token_urlsafe(length)}"


SHELL = {
    **{f"TEAM_{name}": made(name.lower()) for name in ("API_TOKEN", "DB_PASSWORD", "SIGNING_KEY", "WEBHOOK_SECRET")},
    **{name: made("shell") for name in ("GITHUB_TOKEN", "NPM_TOKEN", "CI_JOB_TOKEN", "LONGSHORE_RESULTS_KEY")},
    "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
    "AWS_SESSION_TOKEN": base64.b64encode(secrets.token_bytes(180)).decode(),
    "SENTRY_DSN": f"https://public:{made('dsn')}@sentry.example/7",
    "LONGSHORE_PLAN_KEY": Fernet.generate_key().decode(),
}
HUNTER = made("hunter")
VAULT = {
    **{f"PLAIN_{number}": made("vault") for number in range(10)},
    "BEGINNING": HUNTER,
    "LONGER": f"{HUNTER}-and-more",
    "DATABASE_URL": f"postgres://app:x\"y'z\\w&<v>%u{made('')}@db/shop?sslmode=require",
    "PASSPHRASE": f"correct horse {made('battery')} staple",
    "UMLAUTS": f"größer-als-€-{made('')}-😀",
    "PRIVATE": HEAD + "\n".join(secrets.token_urlsafe(48) for _ in range(3)) + TAIL,
    "JSON": made("json"),
    "SPACES": f"  {made('spaces')}  ",
    "LINES": f"{made('one')}\n{made('two')}",
    "DOLLARS": f"$HOME`id`$({made('x')})",
}
MANIFEST = {f"key-{number}": made("manifest") for number in range(4)}

# In a pod: print each secret file in several ways, as a bad settings dump does, and end.
CRASH = """
import base64, json, os, sys
for _name, _path in sorted(os.environ.items()):
    if _name.endswith("_FILE") and os.path.exists(_path):
        _text = open(_path, encoding="utf-8").read()
        print(_name, _text, repr(_text), json.dumps({"value": _text}), _text.encode().hex(), flush=True)
        print(base64.b64encode(_text.encode()).decode(), flush=True)
        print(base64.encodebytes(b"user:" + _text.encode()).decode(), flush=True)
sys.exit(3)
"""
TEST = """# fmt: off
import json
import os
import sys

NAMES = {names}


def test_prints_what_it_has() -> None:
    for name in NAMES:
        text = os.environ[name]
        sys.stderr.write(f"{{name}} {{text}} {{json.dumps(text)}} {{text.encode().hex()}}")
    assert {condition}, [os.environ[name] for name in NAMES]
"""


class Processes(threading.Thread):
    """Collects the command lines of all processes until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue


@pytest.fixture
def planted(project: Project) -> Iterator[Project]:
    """The project with its secrets in the shell, Secrets Manager, a manifest, and a suite that is given them."""
    vault = project.client("secretsmanager")
    for name, value in VAULT.items():
        text = json.dumps({"key": value}) if name == "JSON" else value
        vault.create_secret(Name=f"planted/{name}", SecretString=text)
    with (project.folder / "longshore.toml").open("a") as settings:
        settings.write(f"\n[environments.{project.name}.secrets]\n")
        settings.writelines(f'{n} = "planted/{n}{"#key" if n == "JSON" else ""}"\n' for n in VAULT)
    given = [name for name in SHELL if name.startswith("TEAM_")]
    project.edit("longshore.toml", "[gates.tests.service]\n", f"[gates.tests.service]\nenv = {json.dumps(given)}\n")
    values = "".join(f"  {key}: {value}  # pragma: allowlist secret\n" for key, value in MANIFEST.items())
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: planted}\nstringData:\n"
    project.add("planted.yaml", head + values)
    git(project.folder, "add", ".")
    git(project.folder, "commit", "-q", "-m", "Plant")
    yield project
    git(project.folder, "reset", "-q", "--hard", "HEAD~1")
    for name in VAULT:
        vault.delete_secret(SecretId=f"planted/{name}", ForceDeleteWithoutRecovery=True)


def left(project: Project) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every file that a run leaves: work, logs of daemons, caches, layers of images."""
    state = project.state()
    folders = (project.folder / ".longshore", state / "logs", project.folder / ".git")
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        data = path.read_bytes()
        if ".git/objects" in str(path):
            data = zlib.decompress(data) if data[:1] == b"x" else b""
        yield str(path), data.decode(errors="replace")
    for blob in (state / "registry").rglob("data"):
        data = blob.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode(errors="replace")
        if len(text) < 20_000_000:  # not the base image's own
            yield str(blob), text


def test_forty_secrets_are_in_nothing_that_is_left(planted: Project) -> None:
    project = planted
    credentials = configparser.ConfigParser()
    credentials.read(project.state() / "aws" / "credentials")
    login = json.loads((project.state() / "docker" / "config.json").read_text())["auths"]
    own = [credentials["default"]["aws_secret_access_key"], *(entry["auth"] for entry in login.values())]
    shell = [value if "://" not in value else value.split(":")[2].split("@")[0] for value in SHELL.values()]
    everywhere = [*shell, *VAULT.values(), *own]
    assert len(everywhere) + len(MANIFEST) >= 38
    lines = [line for value in everywhere for line in value.splitlines() if len(line) > 12 and "KEY---" not in line]
    suite = project.folder / "tests" / "unit" / "application" / "test_planted.py"
    names = [name for name in SHELL if name.startswith("TEAM_")]
    package = project.folder / "application" / "__init__.py"
    good = package.read_text()
    runs: dict[str, Ran] = {}

    watching = Processes()
    watching.start()
    try:
        suite.write_text(TEST.format(names=names, condition="len(NAMES) == 0"))
        runs["a check that fails"] = project.invoke("test", check=False, **SHELL)
        suite.write_text(TEST.format(names=names, condition="len(NAMES) > 0"))
        runs["a deploy"] = project.deploy(check=False, **SHELL)
        package.write_text(good + CRASH)
        runs["a deploy that fails"] = project.ship(**SHELL)
        package.write_text(good)
        runs["a rollback"] = project.invoke("rollback", "-e", project.name, check=False, **SHELL)
        runs["a plan"] = project.invoke("infra.plan", "-e", project.name, check=False, **SHELL)
        runs["an apply"] = project.invoke("infra.apply", "-e", project.name, check=False, **SHELL)
        runs["a status"] = project.invoke("status", "-e", project.name, "--json", check=False, **SHELL)
    finally:
        time.sleep(0.1)
        watching.done.set()
        watching.join()
        suite.unlink(missing_ok=True)

    codes = {name: run.exit_code for name, run in runs.items()}
    assert codes == dict(zip(runs, (5, 0, 6, 0, 0, 0, 0), strict=True)), {n: r.err[-600:] for n, r in runs.items()}
    assert "[redacted]" in runs["a deploy that fails"].err + runs["a deploy that fails"].out, "the pod did print them"
    values = list(dict.fromkeys([*everywhere, *lines]))
    for name, run in runs.items():
        assert leaked(run.out + run.err, [*values, *MANIFEST.values()]) == [], name
    assert leaked("\n".join(watching.seen), [*values, *MANIFEST.values()]) == []
    found = {path: leaks for path, text in left(project) if (leaks := leaked(text, values))}
    assert found == {}
    # The manifest's own are in the manifest, and so in git; of what Longshore wrote, a private rendering has them.
    kept = ("/.longshore/snapshot/", f"/environments/{project.name}/manifests/")
    work = [(path, text) for path, text in left(project) if "/.longshore/" in path]
    work = [(path, text) for path, text in work if not any(part in path for part in kept)]
    assert {path for path, text in work if leaked(text, MANIFEST.values())} == set()


def test_the_search_finds_a_secret_that_is_there(project: Project) -> None:
    value = made("needle")
    trap = project.folder / ".longshore" / "logs" / "trap.log"
    trap.parent.mkdir(parents=True, exist_ok=True)
    trap.write_text(f"user:{base64.b64encode(value.encode()).decode()}")
    assert [path for path, text in left(project) if leaked(text, [value])] == [str(trap)]
    trap.unlink()
    argv = ["sh", "-c", f"sleep 0.3; : {value}"]
    watching = Processes()
    watching.start()
    subprocess.run(argv, check=True)
    watching.done.set()
    watching.join()
    assert leaked("\n".join(watching.seen), [value])
