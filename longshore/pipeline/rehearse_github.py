"""A rehearsal by act, which stands for GitHub Actions, with actions and an issuer of tokens of our own."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, urlsplit

from longshore.commands import pipelines
from longshore.files import from_json, write_atomically
from longshore.pipeline import artifact_store, github
from longshore.pipeline.model import Artifact, Role
from longshore.pipeline.rehearsal import INSTALLS, REQUESTS, Ended, Progress, Rehearsal, Sign
from longshore.process import ambient
from longshore.process.command import Secret

URL = "https://token.actions.githubusercontent.com"
DEPTH = 1  # actions/checkout's own; each job says its own
PROGRAMS = {"act": "`go install github.com/nektos/act@v0.2.89`"}
EVENTS = {"push": "push", "merge_request": "pull_request", "closed": "pull_request", "schedule": "schedule"}
WORTH = 300  # seconds that a token is valid, as GitHub's own
BEARER = "LONGSHORE_REHEARSAL"  # the secret by which a job is given its token


def path(rehearsal: Rehearsal) -> str:
    """Return the project's path at GitHub."""
    settings = rehearsal.settings
    return settings.pipeline.github or f"{settings.project.name}/{settings.project.name}"


def adapted(rehearsal: Rehearsal, issuer: str = "") -> tuple[dict[str, Any], list[str]]:
    """Return the workflow as it can run here, whose jobs get their tokens at ISSUER, and what of it was left out."""
    import yaml

    document: dict[Any, Any] = yaml.safe_load(github.render(rehearsal.settings))
    document["on"] = document.pop(True)  # YAML takes the word for a truth
    secrets = rehearsal.secrets()
    left_out = ["the programs that actions/setup-python, hashicorp/setup-terraform and azure/setup-kubectl install"]
    started = {job.name: job for job in rehearsal.started}
    document["jobs"] = {name: job for name, job in document["jobs"].items() if name in started}
    for name, job in document["jobs"].items():
        job["needs"] = [need for need in job.get("needs", []) if need in started]
        installs = [step["run"] for step in job["steps"] if str(step.get("run", "")).startswith(INSTALLS)]
        left_out += [line for line in dict.fromkeys(installs) if line not in left_out]
        job["steps"] = [step for step in job["steps"] if step.get("run") not in installs]
        if started[name].role is not Role.NONE:
            job["env"] |= {
                **rehearsal.aws(started[name]),  # variables of the environment, which act has not
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer}/{name}",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": f"${{{{ secrets.{BEARER} }}}}",
            }
        given = {key: value for key, value in job.get("env", {}).items() if "vars." in str(value)}
        for key in given:
            job["env"][key] = next(iter(secrets.get(key, {"": ""}).values()))
    return document, left_out


def actions(rehearsal: Rehearsal) -> dict[str, Path]:
    """Write what stands for each action that the workflow uses; return their folders by action and commit."""
    store, python = str(rehearsal.folder / "artifacts"), sys.executable
    keep = f"'{python}' '{artifact_store.__file__}'"
    scripts = {
        "checkout": (f'GIT_DEPTH="$DEPTH" {rehearsal.checkout}', {"DEPTH": "fetch-depth"}),
        "upload": (
            f'{keep} upload {store} "$NAME" "$ABSENT" "$PATHS"',
            {"NAME": "name", "ABSENT": "if-no-files-found", "PATHS": "path"},
        ),
        "download": (f'{keep} download {store} "$NAME" "$FOLDER"', {"NAME": "name", "FOLDER": "path"}),
        "python": (f"echo \"the Python of this machine: $('{python}' --version)\"", {}),
        "terraform": ("terraform version", {}),
        "kubectl": ("echo 'the cluster has its own kubectl'", {}),
        "sarif": ('test -s "$FILE"', {"FILE": "sarif_file"}),
    }
    found = {}
    for name, (script, inputs) in scripts.items():
        env = {key: f"${{{{ inputs.{given} }}}}" for key, given in inputs.items()}
        runs = {"using": "composite", "steps": [{"run": script, "shell": "bash", "env": env}]}
        action = {"name": name, "description": "stands for it", "inputs": {given: {} for given in inputs.values()}}
        folder = rehearsal.folder / "actions" / name
        address, _, commit = github.ACTIONS[name].partition(" ")[0].partition("@")
        owner, repository, *below = address.split("/")
        write_atomically(folder.joinpath(*below, "action.yml"), json.dumps(action | {"runs": runs}))
        found[f"{owner}/{repository}@{commit}"] = folder
    return found


@contextmanager
def issuing(rehearsal: Rehearsal, sign: Sign, bearer: str) -> Iterator[str]:
    """Yield the address at which a job that shows BEARER is given its token, for the audience that it asks for."""
    jobs = {job.name: job for job in rehearsal.jobs if job.role is not Role.NONE}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            job, audience = jobs.get(asked.path.strip("/")), parse_qs(asked.query).get("audience", [""])[0]
            allowed = job if self.headers.get("Authorization") == f"Bearer {bearer}" else None
            subject = f"repo:{path(rehearsal)}:environment:{job.scope if job else ''}"
            claims: dict[str, str | int] = {"aud": audience, "sub": subject, "exp": int(time.time()) + WORTH}
            body = json.dumps({"value": sign(allowed.environment, claims)} if allowed else {}).encode()
            self.send_response(200 if allowed else 403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def run(rehearsal: Rehearsal, sign: Sign, progress: Progress) -> list[Ended]:
    """Run the workflow. Raises as `perform` does; a job that fails is no exception."""
    rehearsal.prepare(f"https://github.com/{path(rehearsal)}", str(DEPTH))
    folder, home, bearer = rehearsal.folder, rehearsal.home, token_hex(16)
    rehearsal.runner.redactor.add(Secret(bearer))
    payload, workflow = folder / "event.json", folder / "workflow.yml"
    payload.write_text(json.dumps(_payload(rehearsal)), encoding="utf-8")
    values = {name: next(iter(scopes.values())) for name, scopes in rehearsal.secrets().items()} | {BEARER: bearer}
    whole = ambient.chosen(rehearsal.runner.environ, pipelines.TAKES) | rehearsal.env
    for name, variables in {"secrets": values, "env": whole}.items():
        lines = (f"{key}={json.dumps(value)}\n" for key, value in variables.items())
        write_atomically(home / name, "".join(lines), 0o600)

    with issuing(rehearsal, sign, bearer) as address:
        write_atomically(workflow, json.dumps(adapted(rehearsal, address)[0], indent=1))
        command = pipelines.act(
            *(rehearsal.project, workflow, EVENTS[rehearsal.event], payload, home), actions(rehearsal), rehearsal.env
        )
        rehearsal.perform(command, partial(_heard, rehearsal=rehearsal, progress=progress), progress)
    return [progress.ended(job, partial(absent, folder / "artifacts" / job.name)) for job in rehearsal.started]


def absent(store: Path, artifact: Artifact) -> list[str]:
    """Return which paths of ARTIFACT are not among what the job keeps in STORE; GitHub takes no file for some."""
    names = {file.name for file in store.rglob("*")}
    wanted = [path for path in artifact.paths if artifact.kind not in ("dotenv", "sarif")]
    return [path for path in wanted if not (Path(path).name in names if Path(path).suffix else names)]  # or a folder's


def _payload(rehearsal: Rehearsal) -> Mapping[str, object]:
    default = rehearsal.environment.branch
    repository = {"repository": {"default_branch": default}}
    if rehearsal.event in REQUESTS:
        action = "closed" if rehearsal.event == "closed" else "opened"
        head = {"ref": rehearsal.branch, "repo": {"full_name": path(rehearsal)}}
        return repository | {"action": action, "number": 1, "pull_request": {"head": head, "base": {"ref": default}}}
    return repository | {"ref": f"refs/heads/{rehearsal.branch}"}


def _heard(line: str, rehearsal: Rehearsal, progress: Progress) -> None:
    """Take note of what a LINE of act's says of a job, and keep what the job printed."""
    progress.tick()
    try:
        said = from_json(line, dict[str, Any])
    except ValueError:
        return
    if name := said.get("jobID"):
        progress.begin(str(name))
        if said.get("raw_output"):
            with rehearsal.log(str(name)).open("a", encoding="utf-8") as log:
                log.write(str(said.get("msg", "")))
        if result := said.get("jobResult"):
            progress.end(str(name), good=result == "success")
