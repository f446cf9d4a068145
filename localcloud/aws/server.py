"""The WSGI application: moto, behind our checks, with the routes that it lacks and errors that name the call."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from localcloud.aws import (
    acm,
    authenticator,
    authorization,
    budgets,
    cloudwatch,
    ec2,
    ecr,
    eks_access,
    eks_clusters,
    eks_nodes,
    eks_routes,
    elb,
    gate,
    iam,
    inputs,
    logs,
    quotas,
    route53,
    routes,
    s3,
    ssm,
    sts,
)
from localcloud.aws.answers import Answers
from localcloud.aws.call import Answer, Call, Environ, Headers
from localcloud.aws.monitor import Monitor
from localcloud.aws.options import ACCOUNT, Options, configure
from localcloud.aws.patching import Refused
from localcloud.aws.saver import Saver
from localcloud.ports import STATE_HEADER

# Each of these patches its service when it is imported.
PATCHED = (
    acm,
    authorization,
    budgets,
    cloudwatch,
    ec2,
    ecr,
    eks_access,
    eks_clusters,
    eks_nodes,
    eks_routes,
    elb,
    iam,
    logs,
    quotas,
    route53,
    s3,
    ssm,
    sts,
)

CROSS_ORIGIN = "access-control-"  # moto's headers that would let any page read an answer

LOG = logging.getLogger("localcloud.aws")
StartResponse = Callable[[str, Headers], Any]


class Application:
    """The local AWS of one account. It serves one request at a time: moto's state has no locks."""

    def __init__(self, options: Options, snapshot: Path | None = None) -> None:
        configure(options)
        self.lock = threading.RLock()
        self.saver = Saver(snapshot, self.lock)
        self._answers = Answers()
        self._folder = str(snapshot.parent) if snapshot else ""
        self.monitor = Monitor(self.lock, self.saver.changed)
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began = time.monotonic()
        call = Call.read(environ)
        try:
            gate.refuse_strangers(call, environ)
            if call.path.startswith("/_local/"):
                status, headers, body = self._own(call)
            else:
                with self.lock:
                    status, headers, body = self._aws(call, environ)
                if status < 400 and call.changes:
                    self.saver.changed()
        except Refused as problem:
            status, headers, body = _error(call, problem)
        except Exception as problem:  # noqa: BLE001 (the SDKs retry a 5xx for a quarter of an hour)
            traceback.print_exc()
            status, headers, body = _error(call, _unsupported(call, f"{type(problem).__name__}: {problem}"))
        again = f", attempt {call.attempt}" if call.attempt > 1 else ""
        why = "" if status < 400 else " " + body[:200].decode("utf-8", "replace").replace("\n", " ")
        LOG.info("%.3f %s %s %s%s%s", time.monotonic() - began, call.service, call.action, status, again, why)
        headers = [(name, value) for name, value in headers if not name.lower().startswith(CROSS_ORIGIN)]
        start_response(f"{status} {HTTP_STATUS_CODES.get(status, 'Error')}", headers)
        return [body]

    def _own(self, call: Call) -> Answer:
        """Answer the routes that AWS does not have."""
        match call.method, call.path:
            case "GET", "/_local/health":
                meant = call.headers.get(STATE_HEADER.lower(), self._folder) == self._folder
                told: dict[str, Any] = {"status": "ok"}
                if gate.knows_secret(call):
                    saved, alarms = self.saver.saved_at or None, cloudwatch.states()
                    told |= {"account": ACCOUNT, "saved_at": saved, "alarms": alarms}
                return _json(told, 200 if meant else 421)
            case "POST", "/_local/save" | "/_local/authenticate" if not gate.knows_secret(call):
                return _json({"error": "this needs the secret of the environment"}, 401)
            case "POST", "/_local/save":
                began = time.monotonic()
                try:
                    self.saver.save()
                except OSError as problem:
                    return _json({"error": f"cannot save the state: {problem.strerror}"}, 507)
                return _json({"seconds": round(time.monotonic() - began, 3)})
            case "POST", "/_local/authenticate":
                return self._reviewed(call.body)
        return _json({"error": f"{call.method} {call.path} does not exist"}, 404)

    def _reviewed(self, body: bytes) -> Answer:
        """Answer the API server, which asks whose token it was given."""
        try:
            review = json.loads(body)
        except ValueError:
            return _json({"error": "the body is not JSON"}, 400)
        with self.lock:
            return _json(authenticator.review(review, LOG.warning))

    def _aws(self, call: Call, environ: Environ) -> Answer:
        who = gate.check(call, environ)
        answer = self._answers.given(call)
        if answer is None:
            answer = self._decide(call, environ, who)
            self._answers.keep(call, answer)
        return answer

    def _decide(self, call: Call, environ: Environ, who: sts.Identity | None) -> Answer:
        inputs.check(call)
        s3.check_owner(call)
        if call.service == "eks":
            told = routes.answer(call.region, call.method, call.path, call.query, call.body)
            if told is not None:
                return _json(told)
        content, line, headers = run_wsgi_app(self._moto, environ, buffered=True)
        status, body = int(line.split(maxsplit=1)[0]), b"".join(content)
        html = headers.get("Content-Type", "").startswith("text/html")
        # Flask's own pages mean an unknown route or a crash inside moto. S3 has pages of its own, for empty bodies.
        if status >= 500 or (status in (404, 405) and html and body.lstrip().startswith(b"<!doctype")):
            raise _unsupported(call, f"moto answered {status}")
        if status == 404 and call.service == "s3" and b"NoSuchBucket" not in body and who:
            authorization.check_missing(call, who)
        return status, list(headers), body


def _json(value: Any, status: int = 200) -> Answer:
    body = json.dumps(value).encode()
    return status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body


def _unsupported(call: Call, why: str) -> Refused:
    message = f"the local AWS does not support {call.service} {call.action} ({why})"
    return Refused(400, "UnsupportedOperation", message[:500])


def _error(call: Call, problem: Refused) -> Answer:
    kind, body = call.error(problem)
    body = b"" if call.method == "HEAD" else body
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-ErrorType", problem.code)]
    return problem.status, headers, body
