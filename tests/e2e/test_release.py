"""Hooks, secrets, pruning, drift and the probe of a release, on the real cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from tests.e2e.project import Project

CONTEXT = """          securityContext:
            {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
"""
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


def test_what_left_the_manifest_is_deleted_if_longshore_created_it(site: Project) -> None:
    site.admin("create", "configmap", "theirs", "--from-literal=a=b")
    for name in ("ours", "theirs"):
        site.add(f"{name}.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  a: c\n")
    assert site.ship().exit_code == 0
    assert "ours" in site.admin("get", "configmaps", "-o", "name")
    site.restore()
    ran = site.ship()
    assert ran.exit_code == 0, ran.err
    left = site.admin("get", "configmaps", "-o", "name")
    assert "configmap/ours" not in left
    assert "configmap/theirs" in left
    site.admin("delete", "configmap", "theirs")


def test_a_migration_runs_ahead_of_the_rollout_under_a_name_of_its_own(site: Project) -> None:
    site.add("migrate.yaml", JOB.format(notes="", code='print("migrated 3 tables")', context=CONTEXT))
    ran = site.ship()
    assert ran.exit_code == 0, ran.err
    number = site.releases()[0]["number"]
    log = site.folder / ".longshore" / "report" / "hooks" / f"migrate-{number}.log"
    assert "migrated 3 tables" in log.read_text()
    assert site.ship().data["changed"] is False, "a hook is not part of what has to serve"
    endpoints = site.kubectl("get", "endpointslices", "-n", "shop")
    pods = {e["targetRef"]["name"] for s in endpoints["items"] for e in s["endpoints"] if "targetRef" in e}
    assert not [name for name in pods if name.startswith("migrate")]


def test_a_migration_that_a_killed_run_left_behind_is_waited_for(site: Project) -> None:
    site.add(
        "migrate.yaml", JOB.format(notes="", code='import time; time.sleep(20); print("migrated")', context=CONTEXT)
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "-e", site.name, "--skip-checks"],
        cwd=site.folder,
        env=site.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    jobs = ("get", "jobs", "-n", "shop", "-l", "longshore.dev/hook-name=migrate")
    while not any(job.get("status", {}).get("active") for job in site.kubectl(*jobs)["items"]):
        assert time.monotonic() < end
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert site.ship().exit_code == 0
    first, second = sorted(site.kubectl(*jobs)["items"], key=lambda job: job["metadata"]["creationTimestamp"])[-2:]
    assert first["status"]["completionTime"] <= second["status"]["startTime"], "both ran at the same time"


def test_a_migration_that_fails_stops_the_release_before_anything_was_rolled_out(site: Project) -> None:
    before = site.version()
    site.add("migrate.yaml", JOB.format(notes="", code='raise SystemExit("no such table")', context=CONTEXT))
    site.change("never seen")
    ran = site.ship()
    assert ran.exit_code == 5, ran.err
    assert "no such table" in ran.err
    assert site.version()["digest"] == before["digest"]
    assert site.releases()[0]["verdict"] == "failed"


def test_after_an_irreversible_migration_nothing_is_rolled_back_automatically(site: Project) -> None:
    good = next(release["number"] for release in site.releases() if release["verdict"] == "good")
    note = '    longshore.dev/irreversible: "true"\n'
    site.add("migrate.yaml", JOB.format(notes=note, code='print("column dropped")', context=CONTEXT))
    config = site.folder / "application" / "gunicorn.conf.py"
    config.write_text(config.read_text() + CRASH)
    ran = site.ship()
    assert ran.exit_code == 7, ran.err
    assert "nothing was undone" in ran.err
    assert f"--to {good} --past-migrations" in ran.err
    assert site.version(), "the old pods still serve"
    refused = site.invoke("rollback", "-e", site.name, "--to", str(good), check=False)
    assert refused.exit_code == 3, refused.err
    done = site.invoke("rollback", "-e", site.name, "--to", str(good), "--past-migrations", check=False)
    assert done.exit_code == 0, done.err


def test_secrets_reach_the_pod_as_files_and_nothing_else(site: Project) -> None:
    # In two parts: the run's snapshot holds this file.
    value, newer = "correct horse " + "battery staple 12345678", "another horse, " + "another battery 12345678"
    vault = site.client("secretsmanager")
    stored = "shop/flask"
    vault.create_secret(Name=stored, SecretString=json.dumps({"key": value}))
    try:
        with (site.folder / "longshore.toml").open("a") as settings:
            settings.write(f"\n[environments.{site.name}.secrets]\n{NAME} = 'shop/flask#key'\n")
        ran = site.ship()
        assert ran.exit_code == 0, ran.err
        read = ("exec", "deployment/app", "--", "sh", "-c", "cat $APP_SECRET_KEY_FILE")
        assert site.admin(*read) == value
        assert site.ship().data["changed"] is False
        vault.put_secret_value(SecretId=stored, SecretString=json.dumps({"key": newer}))
        assert site.ship().data["changed"] is True, "a new version is a new release"
        assert site.admin(*read) == newer
        files = [path for path in (site.folder / ".longshore").rglob("*") if path.is_file()]
        assert len(files) > 20
        for path in (*files, site.state() / "logs" / "audit.log"):
            data = path.read_bytes()
            assert value.encode() not in data, path
            assert newer.encode() not in data, path
        assert value not in site.admin("get", "configmaps,deployments", "-o", "json")
        missing = site.ship(**{site.key("SECRETS"): f"{{{NAME} = 'nowhere'}}"})
        assert missing.exit_code == 3, missing.err
        assert "the secret nowhere (APP_SECRET_KEY) cannot be read" in missing.err
    finally:
        vault.delete_secret(SecretId=stored, ForceDeleteWithoutRecovery=True)
        site.restore()
        assert site.ship().exit_code == 0


def test_the_probe_runs_all_the_time_and_its_figures_are_in_the_report(site: Project) -> None:
    site.change("probed")
    ran = site.ship("--probe", "50")
    assert ran.exit_code == 0, ran.err
    result = json.loads((site.folder / ".longshore" / "report" / "probe.json").read_text())
    assert result["sent"] > 200
    assert result["classes"] == {}
    assert result["p50"] <= result["p99"]
    assert "requests failed, p50" in ran.err


def test_a_field_that_someone_else_set_is_reported_as_drift_and_taken_back(site: Project) -> None:
    patch = '{"spec": {"revisionHistoryLimit": 9}}'
    site.admin("patch", "deployment", "app", "--field-manager=by-hand", "--type=merge", "-p", patch)
    status = site.invoke("status", "-e", site.name, "--json").data
    assert status["drift"] == ["Deployment.app"]
    ran = site.ship("--force", "release")
    assert "took back .spec.revisionHistoryLimit from by-hand" in ran.err
    assert site.kubectl("get", "deployment", "app", "-n", "shop")["spec"]["revisionHistoryLimit"] == 5
    assert site.invoke("status", "-e", site.name, "--json").data["drift"] == []
