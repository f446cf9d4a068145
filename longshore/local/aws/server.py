"""The WSGI application: moto behind checks, routes that it lacks, and errors that say which call they are about."""

from __future__ import annotations

import importlib
import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from longshore.local.aws import authenticator, cloudwatch, inputs, routes, sts
from longshore.local.aws.call import Call, Environ
from longshore.local.aws.mending import Refused
from longshore.local.aws.monitor import Monitor
from longshore.local.aws.options import ACCOUNT, Options, configure
from longshore.local.aws.saver import Saver

MENDED = (
    "acm", "budgets", "cloudwatch", "ec2", "ecr", "eks", "eks_access", "eks_nodes", "eks_routes", "iam", "s3", "sts",
)  # fmt: skip
for _service in MENDED:
    importlib.import_module(f"longshore.local.aws.{_service}")  # each mends its service as it is imported

LOG = logging.getLogger("longshore.local.aws")
Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]
StartResponse = Callable[[str, Headers], Any]


class Application:
    """The local AWS of one account. One request runs at a time: moto's state has no locks of its own."""

    def __init__(self, options: Options, snapshot: Path | None = None) -> None:
        configure(options)
        self.lock = threading.RLock()
        self.saver = Saver(snapshot, self.lock)
        self.monitor = Monitor(self.lock, self.saver.changed)
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        began = time.monotonic()
        call = Call.read(environ)
        try:
            if call.path.startswith("/_local/"):
                status, headers, body = self._own(call)
            else:
                with self.lock:
                    status, headers, body = self._aws(call, environ)
                if status < 400 and call.changes:
                    self.saver.changed()
        except Refused as problem:
            status, headers, body = _worded(call, problem)
        except Exception as problem:  # noqa: BLE001 (the SDKs retry a 5xx for a quarter of an hour)
            traceback.print_exc()
            status, headers, body = _worded(call, _unsupported(call, f"{type(problem).__name__}: {problem}"))
        why = "" if status < 400 else " " + body[:200].decode("utf-8", "replace").replace("\n", " ")
        LOG.info("%.3f %s %s %s%s", time.monotonic() - began, call.service, call.action, status, why)
        start_response(f"{status} {_phrase(status)}", headers)
        return [body]

    def _own(self, call: Call) -> Answer:
        """Answer what is ours and not AWS's."""
        match call.method, call.path:
            case "GET", "/_local/health":
                saved, alarms = self.saver.saved_at or None, cloudwatch.states()
                return _json({"status": "ok", "account": ACCOUNT, "saved_at": saved, "alarms": alarms})
            case "POST", "/_local/save":
                began = time.monotonic()
                try:
                    self.saver.save()
                except OSError as problem:
                    return _json({"error": f"state not saved: {problem.strerror}"}, 507)
                return _json({"seconds": round(time.monotonic() - began, 3)})
            case "POST", "/_local/authenticate":
                try:
                    review = json.loads(call.body)
                except ValueError:
                    return _json({"error": "the body is not JSON"}, 400)
                with self.lock:
                    return _json(authenticator.review(review, LOG.warning))
        return _json({"error": f"there is no {call.method} {call.path}"}, 404)

    def _aws(self, call: Call, environ: Environ) -> Answer:
        self._check(call, environ)
        inputs.check(call)
        if call.service == "eks":
            ours = routes.answer(call.region, call.method, call.path, call.query, call.body)
            if ours is not None:
                return _json(ours)
        status, headers, body = self._ask_moto(environ)
        html = dict(headers).get("Content-Type", "").startswith("text/html")
        # Flask's own pages: no such route, or a crash inside moto. S3 has pages of its own, for empty bodies.
        if status >= 500 or (status in (404, 405) and html and body.lstrip().startswith(b"<!doctype")):
            raise _unsupported(call, f"moto answered {status}")
        return status, headers, body

    def _check(self, call: Call, environ: Environ) -> None:
        """Refuse a call that AWS would not take: unsigned, signed by nobody, or wrongly."""
        if call.presigned:
            sts.check_presigned(call.method, call.path, call.query, call.headers)
            if (
                call.service == "sts"
            ):  # moto looks for the service in the header, and takes the call for S3's else
                credential = dict(parse_qsl(call.query))["X-Amz-Credential"]
                environ["HTTP_AUTHORIZATION"] = (
                    f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=x"
                )
        elif call.authorization:
            sts.check_header(call.signed(), call.authorization[0], call.authorization[3])
        elif call.action not in sts.UNSIGNED:
            raise Refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token")

    def _ask_moto(self, environ: Environ) -> Answer:
        answered: list[tuple[int, Headers]] = []

        def start_response(status: str, headers: Headers, _problem: Any = None) -> None:
            answered.append((int(status.split(maxsplit=1)[0]), headers))

        body = b"".join(self._moto(environ, start_response))
        status, headers = answered[-1]
        return status, headers, body


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else "Error"


def _json(value: Any, status: int = 200) -> Answer:
    body = json.dumps(value).encode()
    return status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))], body


def _unsupported(call: Call, why: str) -> Refused:
    return Refused(
        400, "UnsupportedOperation", f"the local AWS can't do {call.service} {call.action} ({why})"[:500]
    )


def _worded(call: Call, problem: Refused) -> Answer:
    kind, body = call.error(problem)
    headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("x-amzn-ErrorType", problem.code)]
    return problem.status, headers, body
