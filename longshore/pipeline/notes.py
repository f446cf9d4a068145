"""One note on a GitLab merge request for each environment: written once, then edited in place.

GitLab's notes API (docs.gitlab.com/api/notes) needs a project access token with the scope `api` and the role Reporter;
a job's own token may not write notes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from longshore.errors import Precondition
from longshore.pipeline import web
from longshore.settings.job import Job

PAGES = 20  # of 100 notes each, in which ours is looked for
LONGEST = 100_000  # characters; GitLab takes a million


def write(job: Job, environment: str, text: str) -> str:
    """Write TEXT as the note of JOB's merge request about ENVIRONMENT; return "written" or "edited".

    Raises Precondition where JOB is none of a merge request, has no token, or GitLab does not take the note.
    """
    if not (job.provider == "gitlab" and job.request):
        raise Precondition("this is no job of a GitLab merge request", hint="nothing was written")
    if job.notes_token is None:
        hint = "a project access token (scope api, role Reporter) in LONGSHORE_NOTES_TOKEN, masked"
        raise Precondition("there is no token to write notes with", hint=hint)
    address = f"{job.api}/projects/{quote(job.project, safe='')}/merge_requests/{job.request}/notes"
    mark = f"<!-- longshore: {environment} -->"
    body = {"body": f"{mark}\n{text[:LONGEST]}"}
    for page in range(1, PAGES + 1):
        notes = _call(job, "GET", f"{address}?per_page=100&page={page}")
        for note in notes:
            if str(note.get("body", "")).startswith(mark) and not note.get("system"):
                _call(job, "PUT", f"{address}/{note['id']}", body)
                return "edited"
        if len(notes) < 100:
            break
    _call(job, "POST", address, body)
    return "written"


def _call(job: Job, method: str, url: str, body: dict[str, str] | None = None) -> Any:
    headers = {"PRIVATE-TOKEN": job.notes_token.reveal() if job.notes_token else "", "Content-Type": "application/json"}
    try:
        return web.ask(url, headers, method=method, body=body)
    except web.Refused as problem:
        hint = "LONGSHORE_NOTES_TOKEN needs the scope api and the role Reporter"
        raise Precondition(f"GitLab does not take the note: {problem}", hint=hint) from None
    except (OSError, ValueError) as problem:
        raise Precondition(f"GitLab cannot be reached: {problem}", hint="nothing else depends on it") from None
