"""Faults made by an edit of the project, and what a release must report for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.e2e.project import Project

Edit = Callable[[Project], None]

SIDECAR = """        - name: side
          image: {image}
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""
POD = """restartPolicy: {restart}
      serviceAccountName: shaped
      securityContext: {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
      terminationGracePeriodSeconds: 1
      containers:
        - name: own
          image: app
          command: [{command}]
          envFrom: [{{configMapRef: {{name: shaped}}}}]
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""
WORKER = """apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, labels: {{app.kubernetes.io/name: {name}}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}
  template:
    metadata: {{labels: {{app.kubernetes.io/name: {name}}}}}
    spec:
      {pod}---
"""
JOB = """apiVersion: batch/v1
kind: Job
metadata: {{name: {name}, annotations: {{{annotations}}}}}
spec:
  backoffLimit: 0
  template:
    spec:
      {pod}---
"""
RUNS, ENDS = POD.format(restart="Always", command='sleep, "86400"'), POD.format(restart="Never", command="'true'")
# What may stand beside the Deployment app, with what a hook reads in its first release.
SHAPES = (
    "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shaped}\n---\n"
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shaped}\ndata: {TO: head}\n---\n"
    + WORKER.format(name="worker", replicas=1, pod=RUNS)
    + WORKER.format(name="sleeper", replicas=0, pod=RUNS)
    + JOB.format(name="seed", annotations="", pod=ENDS)
    + JOB.format(name="migrate", annotations="longshore.dev/hook: before", pod=ENDS)
)
ARM64 = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00\x01\x00\x00\x00" + bytes(40)


def code(text: str) -> Edit:
    """Have the service run TEXT at start, before it listens."""

    def edit(project: Project) -> None:
        file = project.folder / "application" / "gunicorn.conf.py"
        file.write_text(f"{file.read_text()}\nimport threading, time\n{text}\n")

    return edit


def manifest(old: str, new: str, path: str = "k8s/base/deployment.yaml") -> Edit:
    return lambda project: project.edit(path, old, new)


def both(*edits: Edit) -> Edit:
    def edit(project: Project) -> None:
        for change in edits:
            change(project)

    return edit


def sidecar(image: str) -> Edit:
    def edit(project: Project) -> None:
        repository = project.invoke("infra.output", "-e", project.name, "--json").data["repository_url"]
        project.edit(
            "k8s/overlays/local/deployment.yaml",
            "      containers:\n",
            "      containers:\n" + SIDECAR.format(image=image.format(repository=repository)),
        )

    return edit


def foreign(project: Project) -> None:
    """Have the image run a program for another processor."""
    program = project.folder / "application" / "program"
    program.write_bytes(ARM64)
    program.chmod(0o755)
    project.edit(
        "k8s/base/deployment.yaml",
        "          image: app\n",
        "          image: app\n          command: [/srv/application/program]\n",
    )


@dataclass(frozen=True)
class Row:
    fault: str
    edit: Edit
    words: tuple[str, ...]
    exit_code: int = 6
    bake: int = 0
    served: bool = True  # no request may fail; a release that breaks once it serves has to fail some
    settings: dict[str, str] = field(default_factory=dict)


ROWS = [
    Row(
        "crash at start",
        code('print("the vault is locked"); sys.exit(3)'),
        ("container app exited with code 3", "the vault is locked"),
    ),
    Row("exit 0 in a loop", code("sys.exit(0)"), ("exited with code 0, but a service must keep running",)),
    Row(
        "crash after 20 s",
        code("threading.Timer(20, os._exit, (4,)).start()"),
        ("after it was verified", "container app exited with code 4"),
        bake=40,
        served=False,
    ),
    Row(
        "never ready",
        manifest("path: /readyz", "path: /nobody-home"),
        ("not ready after 12 s", "Readiness probe failed", "statuscode: 400"),
        settings={"ROLLOUT_DEADLINE": "12"},
    ),
    Row(
        "never ready by its own deadline",
        both(
            manifest("path: /readyz", "path: /nobody-home"),
            manifest("progressDeadlineSeconds: 300", "progressDeadlineSeconds: 10"),
        ),
        ("made no progress within its progressDeadlineSeconds", "Readiness probe failed", "statuscode: 400"),
    ),
    Row(
        "killed by its startup probe",
        manifest(
            "startupProbe: null",
            "startupProbe: {httpGet: {path: /nobody-home}, periodSeconds: 1, failureThreshold: 3}",
            "k8s/overlays/local/deployment.yaml",
        ),
        (
            "the startup probe killed container app twice",
            "GET /nobody-home answered 400; it has 3 s (3 \N{MULTIPLICATION SIGN} 1 s)",
        ),
    ),
    Row(
        "ready, then unready",
        code("threading.Timer(20, draining_file.touch).start()"),
        ("after it was verified", "Readiness probe failed"),
        bake=30,
        served=False,
    ),
    Row(
        "wrong port",
        manifest("containerPort: 5000", "containerPort: 5001"),
        ("not ready after 12 s", "Readiness probe failed", ":5001", "connection refused"),
        settings={"ROLLOUT_DEADLINE": "12"},
    ),
    Row(
        "missing image", sidecar("{repository}:never-pushed"), ("cannot pull the image of container side", "not found")
    ),
    Row(
        "wrong digest",
        sidecar("{repository}@sha256:" + "0" * 64),
        ("cannot pull the image of container side", "not found"),
    ),
    Row(
        "registry down",
        sidecar("127.0.0.1:9/side:1"),
        ("cannot pull the image of container side", "connection refused"),
    ),
    Row("wrong architecture", foreign, ("container app", "exec format error, so the image is for another processor")),
    Row("out of memory", code('hog = b"x" * (400 << 20)'), ("exceeded its memory limit", "OOMKilled")),
    Row(
        "missing ConfigMap",
        manifest("          env:\n", "          envFrom: [{configMapRef: {name: nowhere}}]\n          env:\n"),
        ('configmap "nowhere" not found',),
    ),
    Row(
        "missing Secret",
        manifest("          env:\n", "          envFrom: [{secretRef: {name: nowhere}}]\n          env:\n"),
        ('secret "nowhere" not found',),
    ),
    Row(
        "missing volume",
        manifest("          emptyDir:\n            sizeLimit: 64Mi\n", "          secret: {secretName: nowhere}\n"),
        ("cannot mount its volumes", '"nowhere" not found'),
    ),
    Row(
        "unschedulable",
        manifest(
            "      serviceAccountName: app\n", "      serviceAccountName: app\n      nodeSelector: {disk: none}\n"
        ),
        ("cannot be scheduled", "didn't match"),
    ),
    Row(
        "refused by Pod Security",
        manifest("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
        ("cannot create pods", "violates PodSecurity"),
    ),
    Row("slow start within its budget", code("time.sleep(6)"), (), exit_code=0),
    Row(
        "one crash that recovers",
        code('once = run_dir / "once"\nif not once.exists():\n    once.touch()\n    sys.exit(3)'),
        (),
        exit_code=0,
    ),
]

# Twenty seconds each; they differ from the others only in the cause.
SLOW = {
    "exit 0 in a loop",
    "crash after 20 s",
    "never ready",
    "never ready by its own deadline",
    "killed by its startup probe",
    "wrong digest",
    "registry down",
    "missing Secret",
    "missing volume",
    "unschedulable",
    "ready, then unready",
    "wrong port",
    "out of memory",
    "missing ConfigMap",
}
