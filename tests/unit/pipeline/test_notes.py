"""The note on a merge request, written through a server that keeps notes as GitLab does."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from longshore.errors import Precondition
from longshore.pipeline import notes
from longshore.process.command import Secret
from longshore.settings.job import Job

TOKEN = "glpat-of-a-test"  # pragma: allowlist secret
PATH = "/api/v4/projects/7/merge_requests/3/notes"


class GitLab(http.server.ThreadingHTTPServer):
    """Notes of one merge request. `status` other than 0 is what it answers instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.notes: list[dict[str, Any]] = []
        self.changes: list[str] = []
        self.status = 0

    def job(self) -> Job:
        return Job(
            provider="gitlab",
            api=f"http://127.0.0.1:{self.server_address[1]}/api/v4",
            project="7",
            request="3",
            notes_token=Secret(TOKEN),
        )


class Handler(http.server.BaseHTTPRequestHandler):
    server: GitLab

    def log_message(self, *_: Any) -> None: ...

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _handle(self) -> None:
        url, server = urlsplit(self.path), self.server
        if server.status or self.headers["PRIVATE-TOKEN"] != TOKEN:
            self._answer(server.status or 401, {"message": "no"})
            return
        assert url.path.startswith(PATH)
        if self.command == "GET":
            page = int(parse_qs(url.query)["page"][0])
            self._answer(200, server.notes[(page - 1) * 100 : page * 100])
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        server.changes.append(self.command)
        if self.command == "POST":
            server.notes.append({"id": len(server.notes), "body": body, "system": False})
        else:
            server.notes[int(url.path.rsplit("/", 1)[1])]["body"] = body
        self._answer(200, {})

    do_GET = do_POST = do_PUT = _handle  # noqa: N815


@pytest.fixture
def gitlab() -> Iterator[GitLab]:
    with GitLab() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_second_run_edits_the_note_of_the_first(gitlab: GitLab) -> None:
    assert notes.write(gitlab.job(), "production", "2 changes") == "written"
    assert notes.write(gitlab.job(), "production", "none") == "edited"
    assert gitlab.changes == ["POST", "PUT"]
    assert [note["body"] for note in gitlab.notes] == ["<!-- longshore: production -->\nnone"]


def test_each_environment_has_its_note_and_people_keep_theirs(gitlab: GitLab) -> None:
    gitlab.notes = [{"id": number, "body": "looks good", "system": False} for number in range(150)]
    gitlab.notes[3]["body"] = "I quote <!-- longshore: production -->"
    for name in ("production", "staging", "production"):
        notes.write(gitlab.job(), name, f"plan of {name}")
    assert [note["body"].split("\n")[1] for note in gitlab.notes[150:]] == ["plan of production", "plan of staging"]
    assert gitlab.notes[3]["body"].startswith("I quote")


@pytest.mark.parametrize(("status", "said"), [(401, "401"), (403, "403"), (500, "500")])
def test_a_refusal_is_a_sentence_and_has_no_token_in_it(gitlab: GitLab, status: int, said: str) -> None:
    gitlab.status = status
    with pytest.raises(Precondition, match=said) as refused:
        notes.write(gitlab.job(), "production", "text")
    assert TOKEN not in f"{refused.value} {refused.value.hint} {refused.value.detail}"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"request": ""}, "no job of a GitLab merge request"),
        ({"provider": "github"}, "no job of a GitLab merge request"),
        ({"notes_token": None}, "no token"),
        ({"api": "http://127.0.0.1:9/api/v4"}, "cannot be reached"),
        ({"api": "file:///etc"}, "no address"),
    ],
)
def test_without_what_it_needs_nothing_is_sent(gitlab: GitLab, facts: dict[str, Any], said: str) -> None:
    with pytest.raises(Precondition, match=said):
        notes.write(replace(gitlab.job(), **facts), "production", "text")
    assert gitlab.changes == []
