"""How gunicorn serves the application so that a rollout drops no request.

`python -m gunicorn --config application/gunicorn.conf.py`, from the folder that holds `application/`.
"""
# ruff: noqa: N999 - gunicorn's documentation taught everybody this file name

from __future__ import annotations

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
# Only at the first start of this process: after a HUP the file is read again while workers count on.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    # Process 1 of a container gets no signal that it has no handler for: a pod that is taken away while it loads would stay for
    # all of its grace period. gunicorn sets its own handler once it has loaded the application.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ["APP_RUN_DIR"] = str(run_dir)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(run_dir / "metrics")
    # A container restarted in its pod finds the volume as its predecessor left it: with a draining
    # mark it would never be ready, and counts of equal process ids would be mixed.
    draining_file.unlink(missing_ok=True)
    (run_dir / "metrics").mkdir(parents=True, exist_ok=True)
    for counts in (run_dir / "metrics").glob("*.db"):
        counts.unlink()

wsgi_app = "application:create_app()"
bind = "0.0.0.0:5000"
worker_class = "gthread"
workers = settings.workers
threads = settings.threads
# Import once, share the memory, fail before listening; but a reloaded worker has to import anew.
preload_app = "--reload" not in sys.argv

keepalive = 75  # above the balancer's 60 s: it must be the one who closes an idle connection
timeout = 30  # a worker whose main loop is silent for so long is replaced
graceful_timeout = 30  # what running requests get after SIGTERM

limit_request_line = 4094
limit_request_fields = 64
limit_request_field_size = 8190
forwarded_allow_ips = ",".join(settings.forwarded_allow_ips)

# A heartbeat must not wait for a disk. gunicorn opens a private file there and unlinks it at once.
shared_memory = "/dev/shm"  # noqa: S108 # nosec B108
worker_tmp_dir = shared_memory if Path(shared_memory).is_dir() else None
control_socket_disable = True  # it would need a writable home
logconfig_dict = logs.dictionary(settings.log_level)


def pre_request(_worker: object, request: Any) -> None:
    """While draining, answer with `Connection: close`, so that kept connections move to other pods.

    Whoever asks for the version wants to meet every replica: a kept connection leads to one alone. Done here because gunicorn
    drops that header when the application sets it.
    """
    if draining_file.exists() or request.path == "/version":
        request.force_close()


def pre_fork(_server: object, _worker: object) -> None:
    """Hold SIGTERM back until the worker has a handler of its own: the master's, inherited, loses it, and the pod ends 30 s later."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


os.register_at_fork(after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM}))


def post_worker_init(_worker: object) -> None:
    """Let SIGTERM through again."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def child_exit(_server: object, worker: Any) -> None:
    """Forget what a worker that is gone had in progress."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(_server: object) -> None:
    """Leave nothing behind where nobody named a folder."""
    if not settings.run_dir:
        shutil.rmtree(run_dir, ignore_errors=True)
