"""What you type: one module for each of Invoke's Collections."""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

from invoke.collection import Collection


def collection() -> Collection:
    """Return every command.

    Another repository adds it to its own with `ns.add_collection(collection(), name="ship")`.
    """
    _keep_compiled(Path.cwd())
    # Collecting garbage during imports and at exit is a tenth of a short command.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    from longshore.tasks import (
        check,
        ci,
        deploy,
        doctor,
        image,
        infra,
        local,
        plan,
        promote,
        release,
        report,
        review,
        serve,
    )

    top = Collection()
    for task in (
        deploy.deploy,
        promote.promote,
        serve.serve,
        doctor.doctor,
        check.check,
        check.lint,
        check.test,
        check.scan,
    ):
        top.add_task(task)
    for task in (plan.graph, plan.explain, report.report):
        top.add_task(task)
    for task in (release.status, release.history, release.rollback, release.url):
        top.add_task(task)
    groups = {
        "image": (image.build, image.push, image.update_bases, promote.image),
        "infra": (
            infra.bootstrap,
            infra.validate,
            infra.plan,
            infra.apply,
            infra.cost,
            infra.drift,
            infra.unlock,
            infra.output,
            infra.state,
            infra.destroy,
        ),
        "release": (release.apply, release.diff, release.logs, release.unlock),
        "review": (review.prepare, review.deploy, review.stop, review.prune, review.list_),
        "ci": (ci.generate, ci.check, ci.run, ci.note, ci.variables, ci.image),
        "local": (local.up, local.down, local.status, local.reset, local.logs, local.list_),
    }
    for name, tasks in groups.items():
        group = Collection(name)
        for task in tasks:
            group.add_task(task)
        top.add_collection(group)
    return top


def _keep_compiled(root: Path) -> None:
    """Have Python keep compiled modules in the disposable folder.

    Invoke turns that off, and compiling everything takes 0.2 s a command.
    """
    if (root / "longshore.toml").exists():
        os.umask(0o022 | os.umask(0o022))  # what others could write there, they could have us run
        with suppress(OSError):  # a task that needs it says what is wrong with it
            (root / ".longshore").mkdir(exist_ok=True)
            (root / ".longshore").chmod(0o700)  # by hand: an import of longshore.files takes longer
        sys.pycache_prefix = str(root / ".longshore" / "cache" / "pyc")
        sys.dont_write_bytecode = False
