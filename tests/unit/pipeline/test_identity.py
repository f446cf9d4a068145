"""A job's identity token, from a variable as at GitLab, and from a server that hands it out as GitHub's does."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from longshore.errors import Precondition
from longshore.pipeline import identity
from longshore.process.command import Secret
from longshore.process.redaction import Redactor
from longshore.settings.job import Job

BEARER = "request-token"  # pragma: allowlist secret
ASKED: list[str] = []
SILENT: set[int] = set()  # requests that get no token, counted from 1
CUT: set[int] = set()  # those whose answer breaks off


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        allowed = self.headers["Authorization"] == f"Bearer {BEARER}" and query["api-version"] == ["2"]
        ASKED.append(self.path)
        allowed = allowed and len(ASKED) not in SILENT
        number = "" if len(ASKED) == 1 else f" number {len(ASKED)}"
        body = json.dumps({"value": f"token for {query['audience'][0]}{number}"} if allowed else {}).encode()
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body) + (len(ASKED) in CUT)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def address() -> Iterator[str]:
    ASKED.clear()
    SILENT.clear()
    CUT.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/token?api-version=2"
        server.shutdown()
        thread.join()


def github(url: str, bearer: str = BEARER) -> Job:
    variables = {"ACTIONS_ID_TOKEN_REQUEST_URL": url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": bearer}
    return Job.read({"GITHUB_ACTIONS": "true", **variables})


def test_gitlab_hands_it_over_in_a_variable() -> None:
    job = Job.read({"GITLAB_CI": "true", "AWS_ID_TOKEN": "of-gitlab"})
    assert identity.token(job) == Secret("of-gitlab")


def test_github_is_asked_for_one_that_aws_takes(address: str) -> None:
    given = identity.token(github(address))
    assert given
    assert given.reveal() == "token for sts.amazonaws.com"


def test_a_laptop_has_none() -> None:
    assert identity.token(Job.read({})) is None
    assert identity.token(Job.read({"GITHUB_ACTIONS": "true"})) is None, "nor has a job without the permission"


def test_a_refusal_says_which_permission_is_missing_and_not_the_token(address: str) -> None:
    for url, bearer in ((address, "another"), ("http://127.0.0.1:9/", BEARER), ("file:///etc/passwd", BEARER)):
        with pytest.raises(Precondition) as refused:
            identity.token(github(url, bearer))
        assert bearer not in f"{refused.value} {refused.value.hint}"
    with pytest.raises(Precondition, match="403") as refused:
        identity.token(github(address, "another"))
    assert refused.value.hint == "the job needs `permissions: id-token: write`"


def test_an_answer_that_breaks_off_is_none(address: str) -> None:
    CUT.add(1)
    with pytest.raises(Precondition, match="IncompleteRead"):
        identity.token(github(address))


def test_the_file_with_it_is_for_this_user_and_ends_with_the_program() -> None:
    environ, redactor = {"GITLAB_CI": "true", "AWS_ID_TOKEN": "a-token-of-gitlab"}, Redactor()
    folder = identity.take_on(environ, redactor)
    assert folder
    path = Path(environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("a-token-of-gitlab", 0o600)
    assert redactor.text("it is a-token-of-gitlab") == "it is [redacted]"
    folder.cleanup()
    assert not path.exists()


def test_one_of_github_is_renewed_for_as_long_as_the_program_runs(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "RENEWED", 0.02)
    monkeypatch.setattr(identity, "AGAIN", 0.02)
    SILENT.add(3)
    CUT.add(4)
    redactor = Redactor()
    environ = {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": address,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
    }
    kept = identity.take_on(environ, redactor)
    assert kept
    path = Path(environ["AWS_WEB_IDENTITY_TOKEN_FILE"])
    seen, end = [path.read_text()], time.monotonic() + 10
    while int(seen[-1].partition(" number ")[2] or 0) < 5:  # on a busy machine some come and go unseen
        assert time.monotonic() < end
        time.sleep(0.001)
        if (text := path.read_text()) != seen[-1]:
            seen.append(text)
    assert seen[0] == "token for sts.amazonaws.com"
    assert all(text.startswith("token for sts.amazonaws.com") for text in seen), "never half of one"
    assert not {f"token for sts.amazonaws.com number {number}" for number in SILENT | CUT} & set(seen)
    assert redactor.text(f"it is {seen[-1]}") == "it is [redacted]"
    assert path.stat().st_mode & 0o777 == 0o600
    kept.cleanup()
    asked = len(ASKED)
    time.sleep(0.1)
    assert not path.parent.exists()
    assert len(ASKED) - asked <= 1, "at most what was under way"


def test_a_file_that_a_job_brings_is_left_as_it_is() -> None:
    environ = {"GITLAB_CI": "true", "AWS_ID_TOKEN": "of-gitlab", "AWS_WEB_IDENTITY_TOKEN_FILE": "/theirs"}
    assert identity.take_on(environ, Redactor()) is None
    assert environ["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/theirs"
