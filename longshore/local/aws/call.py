"""One request to the local AWS: which service and call it means, and how that service words an error."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from longshore.local.aws.mending import Refused
from longshore.local.aws.signature import Signed

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=(\w+)"
)
XML_BODIES = ("s3", "route53", "cloudfront")
READS = ("Describe", "Get", "List", "Head", "Batch", "Lookup", "Search", "Filter", "Simulate")

Environ = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A request as WSGI hands it over, its body read."""

    method: str
    path: str  # as sent, encoded
    query: str
    headers: Mapping[str, str]  # lower-case names
    body: bytes

    @classmethod
    def read(cls, environ: Environ) -> Call:
        """Take the body out of ENVIRON, and leave it there again for moto, with its length."""
        headers = {
            name[5:].replace("_", "-").lower(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if environ.get(name):
                headers[name.replace("_", "-").lower()] = str(environ[name])
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = environ["wsgi.input"].read()
            environ.pop("HTTP_TRANSFER_ENCODING")
        else:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if body or environ.get("CONTENT_LENGTH"):
            environ["CONTENT_LENGTH"] = str(len(body))
        raw = str(environ.get("REQUEST_URI") or environ.get("RAW_URI") or environ.get("PATH_INFO") or "/")
        path = re.sub(r"^https?://[^/]+", "", raw).partition("?")[0]
        return cls(environ["REQUEST_METHOD"], path or "/", environ.get("QUERY_STRING", ""), headers, body)

    @property
    def authorization(self) -> tuple[str, str, str, str] | None:
        """Access key, scope, signed headers and signature of the Authorization header."""
        found = AUTHORIZATION.match(self.headers.get("authorization", ""))
        return None if found is None else (found[1], found[2], found[3], found[4])

    @property
    def scope(self) -> list[str]:
        """DATE, REGION, SERVICE, `aws4_request`; empty where nothing is signed."""
        if self.authorization:
            return self.authorization[1].split("/")
        return dict(parse_qsl(self.query)).get("X-Amz-Credential", "").split("/")[1:]

    @property
    def service(self) -> str:
        """Signing name of the service; `?` where nothing says."""
        return self.scope[2] if len(self.scope) > 2 else "?"

    @property
    def region(self) -> str:
        """Region that the call is signed for."""
        return self.scope[1] if len(self.scope) > 1 else "us-east-1"

    @property
    def presigned(self) -> bool:
        """Whether the signature is in the query."""
        return "X-Amz-Signature=" in self.query and not self.authorization

    @property
    def action(self) -> str:
        """Name of the call where the protocol carries it, otherwise method and path."""
        target = self.headers.get("x-amz-target")
        if target:
            return target.rsplit(".", 1)[-1]
        form = self.body.decode("utf-8", "replace") if b"Action=" in self.body[:200] else self.query
        name = dict(parse_qsl(form)).get("Action") if "Action=" in form else None
        return name or f"{self.method} {self.path}"

    @property
    def changes(self) -> bool:
        """Whether the call may have changed something; a doubt counts as yes."""
        if self.action.startswith(("GET ", "HEAD ", "OPTIONS ")):
            return False
        return not self.action.startswith(READS)

    def signed(self) -> Signed:
        """Return what the Authorization header signs."""
        _, scope, names, _ = self.authorization or ("", "", "", "")
        return Signed(
            method=self.method,
            path=self.path,
            query=parse_qsl(self.query, keep_blank_values=True),
            headers=self.headers,
            signed_headers=names,
            scope=scope,
            time=self.headers.get("x-amz-date", ""),
            payload=self.headers.get("x-amz-content-sha256") or hashlib.sha256(self.body).hexdigest(),
        )

    def error(self, problem: Refused) -> tuple[str, bytes]:
        """Return content type and body of PROBLEM in the words of the call's protocol."""
        form = self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        code, message = escape(problem.code), escape(problem.message)
        if self.service == "s3":
            return (
                "application/xml",
                f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(),
            )
        if self.service == "ec2":
            inner = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            return "text/xml", f"<Response>{inner}<RequestID>local</RequestID></Response>".encode()
        if form or self.service in XML_BODIES or "Action=" in self.query:
            inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            return "text/xml", f"<ErrorResponse>{inner}<RequestId>local</RequestId></ErrorResponse>".encode()
        text = json.dumps({"__type": problem.code, "code": problem.code, "message": problem.message})
        return (
            "application/x-amz-json-1.1" if "x-amz-target" in self.headers else "application/json"
        ), text.encode()
