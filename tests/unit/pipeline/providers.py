"""GitLab's and GitHub's APIs as far as variables go: answers of the shapes in their documentation, page by page."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

GITLAB_TOKEN, GITHUB_TOKEN = "glpat-of-a-test", "ghp-of-a-test"
PROJECT = "/api/v4/projects/example%2Fshop"
VARIABLES = f"{PROJECT}/variables"
SERVER = "/api/v4/admin/ci/variables"
REPOSITORY = "/api/v3/repos/example/shop"


def variable(key: str, scope: str = "*", **more: Any) -> dict[str, Any]:
    """A variable as GitLab tells of it."""
    return {
        "variable_type": "env_var",
        "key": key,
        "value": "a value of it",
        "protected": False,
        "masked": False,
        "hidden": False,
        "raw": False,
        "environment_scope": scope,
        "description": None,
        **more,
    }


def project(namespace: str, kind: str = "group") -> dict[str, Any]:
    """A project in NAMESPACE, a group's path or (KIND) a user's, as GitLab tells of it."""
    return {"id": 7, "path": "shop", "namespace": {"id": 3, "kind": kind, "full_path": namespace}}


def environment(name: str, *rules: str) -> dict[str, Any]:
    """An environment as GitHub tells of it, protected by RULES."""
    return {"id": 1, "name": name, "protection_rules": [{"id": 2, "type": rule} for rule in rules]}


class Providers(http.server.ThreadingHTTPServer):
    """`answers` are the entries at a path, at GitHub `{key: entries}`; `things` is what answers whole.

    `status` other than 0 is what all get, `hidden` a status for each path that the token may not read. The project is a
    user's own, and so is the repository. The token is an administrator's, and the whole GitLab has no variables.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Any] = {SERVER: []}
        owner = {"id": 1, "full_name": "example/shop", "owner": {"login": "example", "type": "User"}}
        self.things: dict[str, Any] = {PROJECT: project("example", "user"), REPOSITORY: owner}
        self.hidden: dict[str, int] = {}
        self.status = 0
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def groups(self, **groups: list[dict[str, Any]]) -> None:
        """Have the project in nested GROUPS, the outermost first, each with its variables."""
        self.things[PROJECT] = project("/".join(groups))
        for at, variables in enumerate(groups.values(), start=1):
            self.answers[f"/api/v4/groups/{'%2F'.join([*groups][:at])}/variables"] = variables

    def organization(self, **names: list[str]) -> None:
        """Have an organization own the repository and share NAMES, `variables` and `secrets`, with it."""
        self.things[REPOSITORY] = {"id": 1, "owner": {"login": "example", "type": "Organization"}}
        for kind in ("variables", "secrets"):
            shared = [{"name": name, "visibility": "all"} for name in names.get(kind, [])]
            self.answers[f"{REPOSITORY}/actions/organization-{kind}"] = {kind: shared}

    def github(self, environments: list[dict[str, Any]], **names: list[str]) -> None:
        """Have ENVIRONMENTS, and NAMES as `variables`, or as `variables_of_` a place; so those of secrets."""
        places = {"": "actions"} | {
            each["name"]: f"environments/{each['name'].replace('/', '%2F')}" for each in environments
        }
        self.answers[f"{REPOSITORY}/environments"] = {"environments": environments}
        for kind in ("variables", "secrets"):
            for place, path in places.items():
                held = names.get(f"{kind}_of_{place}" if place else kind, [])
                self.answers[f"{REPOSITORY}/{path}/{kind}"] = {kind: [{"name": name} for name in held]}


class Handler(http.server.BaseHTTPRequestHandler):
    server: Providers

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        url, server = urlsplit(self.path), self.server
        server.asked.append(url.path)
        known = (
            self.headers["PRIVATE-TOKEN"] == GITLAB_TOKEN or self.headers["Authorization"] == f"Bearer {GITHUB_TOKEN}"
        )
        there = url.path in server.answers or url.path in server.things
        status = server.status or server.hidden.get(url.path) or (200 if there else 404)
        status = status if known else 401
        query = parse_qs(url.query or "per_page=20&page=1")
        # GitHub shows 30 variables at most, whatever is asked for (docs.github.com/rest/actions/variables).
        most = 30 if url.path.startswith(REPOSITORY) and url.path.endswith("variables") else 100
        size, page = min(int(query["per_page"][0]), most), int(query["page"][0])

        def part(entries: list[Any]) -> list[Any]:
            return entries[(page - 1) * size : page * size]

        answer = server.answers.get(url.path, [])
        if url.path in server.things:
            answer = server.things[url.path]
        elif isinstance(answer, dict):
            answer = {"total_count": 0} | {key: part(entries) for key, entries in answer.items()}
        else:
            answer = part(answer)
        body = json.dumps(answer if status == 200 else {"message": "no"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[Providers]:
    with Providers() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
