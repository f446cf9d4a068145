"""Who may release what, and when, on the real cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.commands.kubectl import Cluster
from longshore.kubernetes.api import Api
from longshore.process.runner import Runner
from longshore.rollout.lease import Holder, Lease
from tests.e2e.project import Project, git


def writes(project: Project, since: float) -> list[str]:
    """Return what anyone but Kubernetes itself has written since SINCE, by the API server's audit log."""
    requests = []
    for line in (project.state() / "logs" / "audit.log").read_text().splitlines():
        event = json.loads(line)
        person = not event["user"].get("username", "system:").startswith("system:")
        changes = event["verb"] in {"create", "update", "patch", "delete", "deletecollection"}
        if person and changes and "dryRun" not in event["requestURI"]:
            at = time.mktime(time.strptime(event["requestReceivedTimestamp"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
            if at > since:
                requests.append(f"{event['verb']} {event['requestURI']}")
    return requests


@pytest.fixture
def rival(site: Project) -> Iterator[Lease]:
    """A release from another machine, which holds the lease."""
    config = site.folder / ".longshore" / "environments" / site.name / "kubeconfig"
    there = Cluster(kubectl="", kubeconfig=config, context=site.name, namespace="shop")
    holder = Holder.new("rival", "another checkout", "https://jobs/7")
    lease = Lease(Api(there, Runner(site.environ)), holder, wait=5, pause=time.sleep, say=lambda *_: None)
    with lease:
        yield lease


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("ACCOUNT", '"999999999999"', "the credentials belong to account 123456789012"),
        ("CLUSTER", f'"{"0" * 64}"', "this is the cluster"),
        ("PROTECTED", "true", "does not say which commits it has"),
    ],
)
def test_where_it_does_not_belong_a_release_writes_nothing(site: Project, setting: str, value: str, words: str) -> None:
    site.change(setting)
    git(site.folder, "add", "application")
    git(site.folder, "commit", "-q", "-m", "Change the note")
    began = time.time() + 1
    time.sleep(1)
    checks = () if setting == "PROTECTED" else ("--skip-checks",)
    command = (
        ("release.apply", "-e", site.name, "--json") if not checks else ("deploy", "-e", site.name, "--json", *checks)
    )
    ran = site.invoke(*command, check=False, **{site.key(setting): value})
    try:
        assert ran.exit_code == 3, ran.err
        assert words in ran.err
        assert writes(site, began) == []
    finally:
        git(site.folder, "reset", "-q", "--hard", "HEAD~1")


def test_an_older_commit_is_refused_unless_asked_for(site: Project, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "upstream.git")
    git(site.folder, "remote", "add", "origin", str(tmp_path / "upstream.git"))
    protected = {site.key("PROTECTED"): "true"}
    try:
        site.change("newer")
        git(site.folder, "add", "application")
        git(site.folder, "commit", "-q", "-m", "Change the note")
        git(site.folder, "push", "-q", "origin", "main")
        newer = site.invoke("release.apply", "-e", site.name, "--json", **protected)
        assert newer.exit_code == 0
        git(site.folder, "checkout", "-q", "HEAD~1")
        began = time.time() + 1
        time.sleep(1)
        older = site.invoke("release.apply", "-e", site.name, "--json", check=False, **protected)
        assert older.exit_code == 3, older.err
        assert "is older" in older.err
        assert writes(site, began) == []
        allowed = site.invoke("release.apply", "-e", site.name, "--allow-older", "--json", **protected)
        assert allowed.exit_code == 0
    finally:
        git(site.folder, "checkout", "-q", "main")
        git(site.folder, "reset", "-q", "--hard", "HEAD~1")
        git(site.folder, "remote", "remove", "origin")


def test_a_release_under_way_elsewhere_is_named_and_waited_for_and_never_overtaken(site: Project, rival: Lease) -> None:
    site.change("a second one")
    ran = site.ship(**{site.key("LEASE_WAIT"): "3"})
    assert ran.exit_code == 4, ran.err
    assert "another release is in progress: rival@" in ran.err
    assert "https://jobs/7" in ran.err
    rival.check()


def test_a_dead_holders_lease_is_taken_over_after_its_time(site: Project, rival: Lease) -> None:
    rival._over.set()  # it dies: it no longer renews the lease, and does not release it
    site.change("after a death")
    began = time.monotonic()
    assert site.ship().exit_code == 0
    assert time.monotonic() - began > 15


def test_only_the_exact_holder_is_unlocked_and_then_the_way_is_free(site: Project, rival: Lease) -> None:
    wrong = site.invoke("release.unlock", "-e", site.name, "--holder", "rival", check=False)
    assert wrong.exit_code == 2, wrong.err
    right = site.invoke("release.unlock", "-e", site.name, "--holder", rival._holder.id)
    assert right.exit_code == 0
    site.change("unlocked")
    assert site.ship(**{site.key("LEASE_WAIT"): "0"}).exit_code == 0


def test_a_run_that_lost_its_lease_changes_nothing_more(site: Project) -> None:
    config = site.folder / "application" / "gunicorn.conf.py"
    config.write_text(config.read_text() + "\nimport time\ntime.sleep(15)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", site.name, "--skip-checks", "--json"],
        cwd=site.folder,
        env=site.environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    lease: dict[str, Any] = {}
    end = time.monotonic() + 60
    while not lease.get("spec", {}).get("holderIdentity"):
        assert time.monotonic() < end
        lease = site.kubectl("get", "lease", "longshore-release", "-n", "shop")
    while site.releases()[0]["verdict"] != "started":
        assert time.monotonic() < end
    site.admin(
        "patch", "lease", "longshore-release", "--type=merge", "-p", '{"spec": {"holderIdentity": "an operator"}}'
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 7, out + err
    assert "lease is now held by an operator" in err
    assert site.releases()[0]["verdict"] == "started", "it does not even record how it ended"
    site.invoke("release.unlock", "-e", site.name, "--holder", "an operator")


def test_a_release_that_was_killed_is_finished_by_the_next_run(site: Project) -> None:
    config = site.folder / "application" / "gunicorn.conf.py"
    config.write_text(config.read_text() + "\nimport time\ntime.sleep(5)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", site.name, "--skip-checks"],
        cwd=site.folder,
        env=site.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while site.releases()[0]["verdict"] != "started":
        assert time.monotonic() < end
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed = site.releases()[0]["number"]
    ran = site.ship()
    assert ran.exit_code == 0, ran.err
    releases = {release["number"]: release for release in site.releases()}
    assert releases[killed]["verdict"] == "failed"
    assert releases[killed]["cause"] == "its run ended before there was a verdict"
    assert releases[killed + 1]["verdict"] == "good"
    assert site.version()["revision"] == ran.data["revision"]
    assert site.ship().data["changed"] is False
