"""One request to the local AWS: its service, action and signature, and errors in the format of that service."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from werkzeug.datastructures import EnvironHeaders

from localcloud.aws.patching import Refused
from localcloud.aws.signature import Signed

CREDENTIAL = r"AWS4-HMAC-SHA256 Credential=([^/]+)/([^,\s]+)"
AUTHORIZATION = re.compile(rf"{CREDENTIAL},\s*SignedHeaders=([^,\s]+),\s*Signature=(\w+)")
ATTEMPT = re.compile(r"attempt=([1-9][0-9]{0,3})\b")
FORM = "application/x-www-form-urlencoded"
# S3 takes these instead of a hash of the body.
UNHASHED = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
XML_BODIES = ("s3", "route53", "cloudfront")
READS = (
    *("Describe", "Get", "List", "Head", "Batch", "Lookup", "Search", "Filter", "Simulate"),
    *("GET ", "HEAD ", "OPTIONS "),
)

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]


@dataclass(frozen=True)
class Call:
    """A WSGI request with its body read."""

    method: str
    path: str  # as sent, encoded
    query: str
    headers: Mapping[str, str]  # lower-case names
    body: bytes

    @classmethod
    def read(cls, environ: Environ) -> Call:
        """Read the request from ENVIRON, and leave the body there for moto, with its length."""
        headers = {name.lower(): str(value) for name, value in EnvironHeaders(environ)}
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
        match = AUTHORIZATION.fullmatch(self.headers.get("authorization", ""))
        return None if match is None else (match[1], match[2], match[3], match[4])

    @property
    def scope(self) -> list[str]:
        """DATE, REGION, SERVICE, `aws4_request`; empty for an unsigned call."""
        if self.authorization:
            return self.authorization[1].split("/")
        return dict(parse_qsl(self.query)).get("X-Amz-Credential", "").split("/")[1:]

    @property
    def service(self) -> str:
        """Signing name of the service; `?` if unknown."""
        return self.scope[2] if len(self.scope) > 2 else "?"

    @property
    def region(self) -> str:
        """Region that the call is signed for; us-east-1 if unknown."""
        return self.scope[1] if len(self.scope) > 1 else "us-east-1"

    @property
    def presigned(self) -> bool:
        """Whether the signature is in the query."""
        return "X-Amz-Signature=" in self.query and not self.authorization

    @property
    def action(self) -> str:
        """Name of the action if the protocol carries it, otherwise method and path."""
        target = self.headers.get("x-amz-target")
        if target:
            return target.rsplit(".", 1)[-1]
        name = dict(self.form or parse_qsl(self.query)).get("Action")
        return name or f"{self.method} {self.path}"

    @cached_property
    def form(self) -> list[tuple[str, str]]:
        """The fields of the body, if it is a form."""
        if self.headers.get("content-type", "").partition(";")[0].strip() != FORM:
            return []
        return parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)

    @staticmethod
    def replace_body(environ: Environ, body: bytes) -> None:
        """Have moto read BODY instead of what was sent."""
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": FORM}

    @property
    def attempt(self) -> int:
        """How often the SDK has sent this call by now; 1 if it does not say."""
        match = ATTEMPT.match(self.headers.get("amz-sdk-request", ""))
        return int(match[1]) if match else 1

    @property
    def changes(self) -> bool:
        """Whether the call may have changed something; if in doubt, yes."""
        return not self.action.startswith(READS)

    def signed(self) -> Signed:
        """Return the call as the Authorization header signs it."""
        _, scope, names, _ = self.authorization or ("", "", "", "")
        query, time = parse_qsl(self.query, keep_blank_values=True), self.headers.get("x-amz-date", "")
        payload = hashlib.sha256(self.body).hexdigest()
        declared = self.headers.get("x-amz-content-sha256", payload)
        if declared != payload and not (self.service == "s3" and declared in UNHASHED):
            raise Refused(400, "XAmzContentSHA256Mismatch", "The body is not the one whose hash was signed")
        return Signed(self.method, self.path, query, self.headers, names, scope, time, declared)

    def error(self, problem: Refused) -> tuple[str, bytes]:
        """Return content type and body of PROBLEM in the format of the call's protocol."""
        form = self.headers.get("content-type", "").startswith(FORM)
        code, message = escape(problem.code), escape(problem.message)
        if self.service == "s3":
            return ("application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())
        if self.service == "ec2":
            inner = f"<Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            return "text/xml", f"<Response>{inner}<RequestID>local</RequestID></Response>".encode()
        if form or self.service in XML_BODIES or "Action=" in self.query:
            inner = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            return "text/xml", f"<ErrorResponse>{inner}<RequestId>local</RequestId></ErrorResponse>".encode()
        text = json.dumps({"__type": problem.code, "code": problem.code, "message": problem.message})
        return ("application/x-amz-json-1.1" if "x-amz-target" in self.headers else "application/json"), text.encode()
