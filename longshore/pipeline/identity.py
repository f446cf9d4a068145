"""A job's short-lived identity token, which AWS exchanges for the credentials of a role.

GitLab puts it into a variable (`id_tokens` in the job). GitHub hands it out on request to a job with the permission
`id-token: write` (docs.github.com, "OpenID Connect reference"); its audience is what Terraform's trust policy demands.
GitLab's is worth as much as the job's time limit; GitHub's five minutes (actions/toolkit, issue 2048), so it is asked
for again and again: whatever starts later, and whoever renews an hour's credentials, reads the file anew.
"""

from __future__ import annotations

import atexit
import tempfile
import threading
from pathlib import Path

from longshore.errors import Precondition
from longshore.files import write_atomically
from longshore.pipeline import web
from longshore.process.command import Secret
from longshore.process.redaction import Redactor
from longshore.settings.job import Job

FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
AUDIENCE = "sts.amazonaws.com"
RENEWED = 120.0  # seconds until the next one is asked for
AGAIN = 10.0  # seconds until GitHub is asked again after a refusal


def token(job: Job) -> Secret | None:
    """Return the token of JOB, None where it has none. Raises Precondition where GitHub refuses to hand it out."""
    if job.id_token or job.token_request is None:
        return job.id_token
    separator = "&" if "?" in job.token_url else "?"
    headers = {"Authorization": f"Bearer {job.token_request.reveal()}"}
    try:
        return Secret(web.ask(f"{job.token_url}{separator}audience={AUDIENCE}", headers)["value"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        hint = "the job needs `permissions: id-token: write`"
        raise Precondition(f"GitHub gives this job no token: {problem}", hint=hint) from None


class Kept:
    """The file `path` with JOB's token, at first VALUE: there, and renewed, until `cleanup` or the program's end."""

    def __init__(self, job: Job, value: Secret, redactor: Redactor) -> None:
        self._job, self._redactor = job, redactor
        self._folder = tempfile.TemporaryDirectory(prefix="longshore-")
        self._over, self._writing = threading.Event(), threading.Lock()
        self.path = Path(self._folder.name) / "token"
        self._write(value)
        atexit.register(self.cleanup)
        if not job.id_token:
            threading.Thread(target=self._renew, daemon=True).start()

    def cleanup(self) -> None:
        """Remove the file for good."""
        with self._writing:
            self._over.set()
            self._folder.cleanup()

    def _write(self, value: Secret) -> None:
        self._redactor.add(value)
        with self._writing:
            if not self._over.is_set():
                write_atomically(self.path, value.reveal(), 0o600, sync=False)

    def _renew(self) -> None:
        pause = RENEWED
        while not self._over.wait(pause):
            try:
                if value := token(self._job):
                    self._write(value)
                pause = RENEWED
            except (Precondition, OSError):  # AWS will say that the last one has expired, if it comes to that
                pause = AGAIN


def take_on(environ: dict[str, str], redactor: Redactor) -> Kept | None:
    """Have a job's own token stand for the role in AWS_ROLE_ARN, for every AWS client and every program.

    Put the file that has it into ENVIRON, unless that names one.
    """
    job = Job.read(environ)
    value = None if environ.get(FILE) else token(job)
    if value is None:
        return None
    kept = Kept(job, value, redactor)
    environ[FILE] = str(kept.path)
    return kept
