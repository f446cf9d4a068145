"""What a release guards against, holds, brings along and leaves behind, on the real cluster."""

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
from longshore.rollout.api import Api
from longshore.rollout.lease import Holder, Lease
from longshore.runner import Runner
from tests.e2e.conftest import Project, Ran, cache, git
from tests.e2e.test_access import client

CONTEXT = "          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}\n"
JOB = """apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations:
    longshore.dev/hook: before
{notes}spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: migrate
          image: app
          command: [python, -c, '{code}']
{context}"""
NAME = "APP_SECRET_KEY"
CRASH = '\nprint("the vault is locked")\nsys.exit(3)\n'


def key(project: Project, name: str) -> str:
    return f"LONGSHORE__ENVIRONMENTS__{project.name.upper()}__{name}"


def change(project: Project, text: str) -> None:
    (project.folder / "application" / "note.txt").write_text(text)


def add(project: Project, name: str, text: str) -> None:
    """Add a file to k8s/base, in the manifest of every environment."""
    (project.folder / "k8s" / "base" / name).write_text(text)
    project.edit("k8s/base/kustomization.yaml", "resources:\n", f"resources:\n  - {name}\n")


def deploy(project: Project, *words: str, **options: Any) -> Ran:
    return project.deploy("--skip-checks", *words, check=False, **options)


def kubectl(project: Project, *words: str) -> str:
    program = max((cache() / "kubernetes").glob("*/kubectl"))
    config = project.state() / "pki" / "admin.conf"
    argv = [str(program), f"--kubeconfig={config}", "-n", "shop", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout


def writes(project: Project, since: float) -> list[str]:
    """Return what anybody but Kubernetes itself has written since then, by the API server's audit log."""
    found = []
    for line in (project.state() / "logs" / "audit.log").read_text().splitlines():
        event = json.loads(line)
        person = not event["user"].get("username", "system:").startswith("system:")
        changes = event["verb"] in {"create", "update", "patch", "delete", "deletecollection"}
        if person and changes and "dryRun" not in event["requestURI"]:
            at = (
                time.mktime(time.strptime(event["requestReceivedTimestamp"][:19], "%Y-%m-%dT%H:%M:%S"))
                - time.timezone
            )
            if at > since:
                found.append(f"{event['verb']} {event['requestURI']}")
    return found


def releases(project: Project) -> list[dict[str, Any]]:
    return list(project.invoke("history", "-e", project.name, "--json").data["releases"])


@pytest.fixture
def site(project: Project) -> Iterator[Project]:
    project.deploy("--skip-checks")
    yield project
    project.restore()


@pytest.fixture
def rival(site: Project) -> Iterator[Lease]:
    """A release on another machine, which holds the lease."""
    config = site.folder / ".longshore" / "environments" / site.name / "kubeconfig"
    there = Cluster(kubectl="", kubeconfig=config, context=site.name, namespace="shop")
    holder = Holder.new("rival", "another checkout", "https://jobs/7")
    lease = Lease(Api(there, Runner(site.environ)), holder, wait=5, pause=time.sleep, say=lambda *said: None)
    with lease:
        yield lease


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("ACCOUNT", '"999999999999"', "the credentials belong to account 123456789012"),
        ("CLUSTER", '"11111111-2222-3333-4444-555555555555"', "this is the cluster"),
        ("PROTECTED", "true", "is on no remote branch"),
    ],
)
def test_where_it_does_not_belong_a_release_writes_nothing(
    site: Project, setting: str, value: str, words: str
) -> None:
    change(site, setting)
    git(site.folder, "add", "application")
    git(site.folder, "commit", "-q", "-m", "Change the note")
    began = time.time() + 1
    time.sleep(1)
    checks = () if setting == "PROTECTED" else ("--skip-checks",)
    command = (
        ("release.apply", "-e", site.name, "--json")
        if not checks
        else ("deploy", "-e", site.name, "--json", *checks)
    )
    ran = site.invoke(*command, check=False, **{key(site, setting): value})
    try:
        assert ran.exit_code == 3, ran.err
        assert words in ran.err
        assert writes(site, began) == []
    finally:
        git(site.folder, "reset", "-q", "--hard", "HEAD~1")


def test_an_older_commit_is_refused_unless_asked_for(site: Project, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "upstream.git")
    git(site.folder, "remote", "add", "origin", str(tmp_path / "upstream.git"))
    protected = {key(site, "PROTECTED"): "true"}
    try:
        change(site, "newer")
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


def test_a_release_under_way_elsewhere_is_named_and_waited_for_and_never_overtaken(
    site: Project, rival: Lease
) -> None:
    change(site, "a second one")
    ran = deploy(site, **{key(site, "LEASE_WAIT"): "3"})
    assert ran.exit_code == 4, ran.err
    assert "another release is under way: rival@" in ran.err
    assert "https://jobs/7" in ran.err
    rival.check()


def test_a_dead_holders_lease_is_taken_over_after_its_time(site: Project, rival: Lease) -> None:
    rival._over.set()  # it dies: no sign of life, and nothing given back
    change(site, "after a death")
    began = time.monotonic()
    assert deploy(site).exit_code == 0
    assert time.monotonic() - began > 15


def test_only_the_exact_holder_is_unlocked_and_then_the_way_is_free(site: Project, rival: Lease) -> None:
    wrong = site.invoke("release.unlock", "-e", site.name, "--holder", "rival", check=False)
    assert wrong.exit_code == 2, wrong.err
    right = site.invoke("release.unlock", "-e", site.name, "--holder", rival._holder.id)
    assert right.exit_code == 0
    change(site, "unlocked")
    assert deploy(site, **{key(site, "LEASE_WAIT"): "0"}).exit_code == 0


def test_a_run_that_lost_its_lease_changes_nothing_more(site: Project) -> None:
    config = site.folder / "application" / "gunicorn.conf.py"
    config.write_text(config.read_text() + "\nimport time\ntime.sleep(15)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", site.name, "--skip-checks", "--json"], cwd=site.folder,
        env=site.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    lease: dict[str, Any] = {}
    end = time.monotonic() + 60
    while not lease.get("spec", {}).get("holderIdentity"):
        assert time.monotonic() < end
        lease = site.kubectl("get", "lease", "longshore-release", "-n", "shop")
    while releases(site)[0]["verdict"] != "started":
        assert time.monotonic() < end
    kubectl(
        site,
        "patch",
        "lease",
        "longshore-release",
        "--type=merge",
        "-p",
        '{"spec": {"holderIdentity": "an operator"}}',
    )
    out, err = process.communicate(timeout=120)
    assert process.returncode == 7, out + err
    assert "lost its lease: it is now an operator" in err
    assert releases(site)[0]["verdict"] == "started", "it did not even record its own end"
    site.invoke("release.unlock", "-e", site.name, "--holder", "an operator")


def test_a_release_that_was_killed_is_finished_by_the_next_run(site: Project) -> None:
    config = site.folder / "application" / "gunicorn.conf.py"
    config.write_text(config.read_text() + "\nimport time\ntime.sleep(5)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", site.name, "--skip-checks"], cwd=site.folder,
        env=site.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    while releases(site)[0]["verdict"] != "started":
        assert time.monotonic() < end
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    killed = releases(site)[0]["number"]
    ran = deploy(site)
    assert ran.exit_code == 0, ran.err
    found = {one["number"]: one for one in releases(site)}
    assert (found[killed]["verdict"], found[killed]["cause"]) == (
        "failed",
        "its run ended before there was a verdict",
    )
    assert found[killed + 1]["verdict"] == "good"
    assert site.version()["revision"] == ran.data["revision"]
    assert deploy(site).data["changed"] is False


def test_what_left_the_manifest_is_deleted_if_longshore_made_it(site: Project) -> None:
    kubectl(site, "create", "configmap", "theirs", "--from-literal=a=b")
    for name in ("ours", "theirs"):
        add(
            site,
            f"{name}.yaml",
            f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  a: c\n",
        )
    assert deploy(site).exit_code == 0
    assert "ours" in kubectl(site, "get", "configmaps", "-o", "name")
    site.restore()
    ran = deploy(site)
    assert ran.exit_code == 0, ran.err
    left = kubectl(site, "get", "configmaps", "-o", "name")
    assert "configmap/ours" not in left
    assert "configmap/theirs" in left
    kubectl(site, "delete", "configmap", "theirs")


def test_a_migration_runs_ahead_of_the_rollout_under_a_name_of_its_own(site: Project) -> None:
    add(site, "migrate.yaml", JOB.format(notes="", code='print("migrated 3 tables")', context=CONTEXT))
    ran = deploy(site)
    assert ran.exit_code == 0, ran.err
    number = releases(site)[0]["number"]
    log = site.folder / ".longshore" / "report" / "hooks" / f"migrate-{number}.log"
    assert "migrated 3 tables" in log.read_text()
    assert deploy(site).data["changed"] is False, "a hook is no part of what has to serve"
    endpoints = site.kubectl("get", "endpointslices", "-n", "shop")
    pods = {e["targetRef"]["name"] for s in endpoints["items"] for e in s["endpoints"] if "targetRef" in e}
    assert not [name for name in pods if name.startswith("migrate")]


def test_a_migration_that_a_killed_run_left_behind_is_waited_for(site: Project) -> None:
    add(
        site,
        "migrate.yaml",
        JOB.format(notes="", code='import time; time.sleep(20); print("migrated")', context=CONTEXT),
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", site.name, "--skip-checks"], cwd=site.folder,
        env=site.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + 60
    jobs = ("get", "jobs", "-n", "shop", "-l", "longshore.dev/hook-name=migrate")
    while not any(job.get("status", {}).get("active") for job in site.kubectl(*jobs)["items"]):
        assert time.monotonic() < end
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert deploy(site).exit_code == 0
    found = site.kubectl(*jobs)["items"]
    first, second = sorted(found, key=lambda job: job["metadata"]["creationTimestamp"])[-2:]
    assert first["status"]["completionTime"] <= second["status"]["startTime"], "both ran at once"


def test_a_migration_that_fails_stops_the_release_before_anything_was_rolled_out(site: Project) -> None:
    before = site.version()
    add(site, "migrate.yaml", JOB.format(notes="", code='raise SystemExit("no such table")', context=CONTEXT))
    change(site, "never seen")
    ran = deploy(site)
    assert ran.exit_code == 5, ran.err
    assert "no such table" in ran.err
    assert site.version()["digest"] == before["digest"]
    assert releases(site)[0]["verdict"] == "failed"


def test_after_an_irreversible_migration_nothing_is_undone_by_itself(site: Project) -> None:
    good = next(one["number"] for one in releases(site) if one["verdict"] == "good")
    note = '    longshore.dev/irreversible: "true"\n'
    add(site, "migrate.yaml", JOB.format(notes=note, code='print("column dropped")', context=CONTEXT))
    config = site.folder / "application" / "gunicorn.conf.py"
    config.write_text(config.read_text() + CRASH)
    ran = deploy(site)
    assert ran.exit_code == 7, ran.err
    assert "nothing was undone" in ran.err
    assert f"--to {good} --past-migrations" in ran.err
    assert site.version(), "the old pods still serve"
    refused = site.invoke("rollback", "-e", site.name, "--to", str(good), check=False)
    assert refused.exit_code == 3, refused.err
    done = site.invoke("rollback", "-e", site.name, "--to", str(good), "--past-migrations", check=False)
    assert done.exit_code == 0, done.err


def test_secrets_reach_the_pod_as_files_and_nothing_else(site: Project) -> None:
    value, newer = "correct horse battery staple 12345678", "another horse, another battery 12345678"
    vault = client(site, "secretsmanager")
    stored = "shop/flask"
    vault.create_secret(Name=stored, SecretString=json.dumps({"key": value}))
    try:
        with (site.folder / "longshore.toml").open("a") as settings:
            settings.write(f"\n[environments.{site.name}.secrets]\n{NAME} = 'shop/flask#key'\n")
        ran = deploy(site)
        assert ran.exit_code == 0, ran.err
        read = ("exec", "deployment/app", "--", "sh", "-c", "cat $APP_SECRET_KEY_FILE")
        assert kubectl(site, *read) == value
        assert deploy(site).data["changed"] is False
        vault.put_secret_value(SecretId=stored, SecretString=json.dumps({"key": newer}))
        assert deploy(site).data["changed"] is True, "a new version is a new release"
        assert kubectl(site, *read) == newer
        kept = [path for path in (site.folder / ".longshore").rglob("*") if path.is_file()]
        assert len(kept) > 20
        for path in (*kept, site.state() / "logs" / "audit.log"):
            data = path.read_bytes()
            assert value.encode() not in data, path
            assert newer.encode() not in data, path
        assert value not in kubectl(site, "get", "configmaps,deployments", "-o", "json")
        missing = deploy(site, **{key(site, "SECRETS"): f"{{{NAME} = 'nowhere'}}"})
        assert missing.exit_code == 3, missing.err
        assert "the secret nowhere (APP_SECRET_KEY) cannot be read" in missing.err
    finally:
        vault.delete_secret(SecretId=stored, ForceDeleteWithoutRecovery=True)
        site.restore()
        assert deploy(site).exit_code == 0


def test_the_probe_asks_all_along_and_its_figures_are_in_the_report(site: Project) -> None:
    change(site, "probed")
    ran = deploy(site, "--probe", "50")
    assert ran.exit_code == 0, ran.err
    result = json.loads((site.folder / ".longshore" / "report" / "probe.json").read_text())
    assert result["sent"] > 200
    assert result["classes"] == {}
    assert result["p50"] <= result["p99"]
    assert "requests failed, p50" in ran.err


def test_a_field_that_somebody_took_is_named_as_drift_and_taken_back(site: Project) -> None:
    patch = '{"spec": {"revisionHistoryLimit": 9}}'
    kubectl(site, "patch", "deployment", "app", "--field-manager=by-hand", "--type=merge", "-p", patch)
    status = site.invoke("status", "-e", site.name, "--json").data
    assert status["drift"] == ["Deployment.app"]
    ran = deploy(site, "--force", "release")
    assert "took back .spec.revisionHistoryLimit from by-hand" in ran.err
    assert site.kubectl("get", "deployment", "app", "-n", "shop")["spec"]["revisionHistoryLimit"] == 5
    assert site.invoke("status", "-e", site.name, "--json").data["drift"] == []
