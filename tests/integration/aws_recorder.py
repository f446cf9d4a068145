"""Records calls to the local AWS and their raw answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from tests.integration.aws_process import AwsProcess


@dataclass(frozen=True)
class Recorded:
    """One call: its operation, what was asked, and the raw answer."""

    operation: Any
    asked: dict[str, Any]
    status: int
    headers: dict[str, str]
    body: bytes
    code: str = ""


class Recorder:
    """Clients of one local AWS that record their calls."""

    def __init__(self, aws: AwsProcess) -> None:
        self.calls: list[Recorded] = []
        self._aws, self._clients, self._asked = aws, dict[str, Any](), dict[str, Any]()

    def __call__(self, service: str, method: str, **asked: Any) -> Any:
        """Call METHOD and return the parsed answer."""
        if service not in self._clients:
            client = self._clients[service] = self._aws.client(service)
            client.meta.events.register("provide-client-params", self._note)
            client.meta.events.register("before-parse", self._record)
        return getattr(self._clients[service], method)(**asked)

    def refused(self, service: str, method: str, **asked: Any) -> str:
        """Call METHOD and return the error code with which it fails."""
        try:
            self(service, method, **asked)
        except ClientError as problem:
            code = str(problem.response["Error"]["Code"])
            self.calls[-1] = replace(self.calls[-1], code=code)
            return code
        raise AssertionError(f"{service} {method} accepted {asked}")

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        self._asked = params

    def _record(self, operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        body = response_dict["body"]
        raw = body if isinstance(body, bytes) else b""  # a stream is an S3 object
        self.calls.append(
            Recorded(operation_model, self._asked, response_dict["status_code"], dict(response_dict["headers"]), raw)
        )
