"""Gunicorn's configuration, so that a rollout drops no request.

Run `python -m gunicorn --config application/gunicorn.conf.py` from the folder that contains `application/`.
"""
# ruff: noqa: N999 - this is the file name in gunicorn's documentation

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from application import logs
from application.settings import Settings, SettingsError

try:
    settings = Settings.read(os.environ)
except SettingsError as problem:
    sys.exit(f"application: {problem}")

run_dir = settings.run_dir or Path(tempfile.mkdtemp(prefix="application-"))
draining_file = run_dir / "draining"
# Only at the first start of this process: after a HUP this file is read again while workers go on counting.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    # Process 1 of a container receives only signals that it handles: without this, a pod deleted while it loads would
    # use up its grace period. gunicorn sets its own handler once it has loaded the application.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ["APP_RUN_DIR"] = str(run_dir)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(run_dir / "metrics")
    # A container restarted in its pod finds the volume as its predecessor left it. With the draining file it would
    # never be ready, and counts of reused process ids would be mixed up.
    draining_file.unlink(missing_ok=True)
    (run_dir / "metrics").mkdir(parents=True, exist_ok=True)
    for counts in (run_dir / "metrics").glob("*.db"):
        counts.unlink()

wsgi_app = "application:create_app()"
bind = "0.0.0.0:5000"
worker_class = "gthread"
workers = settings.workers
threads = settings.threads
# Import once to share memory and to fail before listening; with --reload, workers must import again.
preload_app = "--reload" not in sys.argv

REQUESTS, answered = 20, itertools.count(1)  # after so many a connection is closed
keepalive = 75  # above the load balancer's 60 s, so that the balancer is the one to close idle connections
timeout = 30  # a worker whose main loop is silent for this long is replaced
graceful_timeout = 30  # seconds for running requests after SIGTERM

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ",".join(settings.forwarded_allow_ips)

# Heartbeats must not wait for a disk. gunicorn opens a private file here and unlinks it at once.
shared_memory = "/dev/shm"  # noqa: S108 # nosec B108
worker_tmp_dir = shared_memory if Path(shared_memory).is_dir() else None
control_socket_disable = True  # needs a writable home directory
logconfig_dict = logs.dictionary(settings.log_level)


def pre_request(_worker: object, request: Any) -> None:
    """While draining, answer with `Connection: close`, so that keep-alive connections move to other pods.

    So does /version, whose clients want to reach every replica: a keep-alive connection reaches only one. And so does
    one request in 20: behind a node port a connection that a load balancer keeps busy would lead to the same pod for
    ever, and a new one, a canary or one of the autoscaler's, would get no request. Done here because gunicorn drops the
    header if the application sets it.
    """
    if draining_file.exists() or request.path == "/version" or next(answered) % REQUESTS == 0:
        request.force_close()


def pre_fork(_server: object, _worker: object) -> None:
    """Block SIGTERM until the worker has its own handler: the inherited one would lose it and delay the end by 30 s."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


os.register_at_fork(after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM}))


def post_worker_init(_worker: object) -> None:
    """Unblock SIGTERM."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def child_exit(_server: object, worker: Any) -> None:
    """Drop the in-progress counts of a worker that has ended."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: object) -> None:
    """Remove the run folder if it is a temporary one."""
    if not settings.run_dir:
        shutil.rmtree(run_dir, ignore_errors=True)
