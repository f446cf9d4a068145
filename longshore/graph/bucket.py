"""The shared cache: an S3 bucket with results for several checkouts. Without it, steps just run.

It belongs to no environment: it is where the shell says that AWS is, with the shell's credentials, whatever local AWS
an environment of this machine has.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from longshore import aws
from longshore.process.cancellation import Cancellation
from longshore.settings.model import Settings

DEADLINE = 30.0  # seconds for one answer, with all that it takes to be allowed to ask
LARGEST = 128 << 20  # bytes of one answer; a report has half of that at most


class Bucket:
    """Results below `s3://NAME/PREFIX`, which the settings name. Readers check what they get.

    It is used only if it belongs to the account in the settings, and nothing is written unless they allow it.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], None], cancellation: Cancellation) -> None:
        table = settings.results
        self.url = table.remote.rstrip("/")
        self.may_write = table.write == "always" or (table.write == "protected" and settings.job.protected_ref)
        self._credentials, self._region, self._warn = settings.credentials, table.region, warn
        self._cancellation = cancellation
        name, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._whose = {"Bucket": name, "ExpectedBucketOwner": table.account}
        self._prefix = f"{prefix}/" if prefix else ""
        self._lock = threading.Lock()
        self._s3: Any = None
        self._unreachable = False

    def get(self, name: str) -> bytes | None:
        """Return what is kept under NAME; None where there is nothing or the bucket cannot be reached."""
        return self._ask("get_object", Key=self._prefix + name)

    def put(self, name: str, data: bytes) -> None:
        """Keep DATA under NAME for everyone who shares the bucket."""
        if self.may_write:
            self._ask("put_object", Key=self._prefix + name, Body=data)

    def _ask(self, method: str, **options: Any) -> bytes | None:
        """Return the body of the answer, if it comes in time.

        A thread waits for it, since a name, a login or a body that drips would have us wait without an end.
        """
        answers: list[bytes | None] = []
        problems: list[Exception] = []

        def ask() -> None:
            try:
                answers.append(self._answer(method, options))
            except Exception as problem:  # noqa: BLE001 (whatever it is, steps just run)
                problems.append(problem)

        if self._unreachable:
            return None
        thread, until = threading.Thread(target=ask, daemon=True), time.monotonic() + DEADLINE
        thread.start()
        while thread.is_alive() and time.monotonic() < until and not self._cancellation.requested:
            thread.join(0.1)
        if answers:
            return answers[0]
        if not self._cancellation.requested:
            self._give_up(problems[0] if problems else f"it did not answer within {DEADLINE:g} s")
        return None

    def _give_up(self, cause: object) -> None:
        if not self._unreachable:
            self._unreachable = True
            self._warn(f"ignoring the shared cache {self.url}: {cause}")

    def _answer(self, method: str, options: dict[str, Any]) -> bytes | None:
        from botocore.exceptions import ClientError

        try:
            answer = getattr(self._client(), method)(**self._whose, **options)
        except ClientError as problem:
            if problem.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        if "Body" not in answer:
            return None
        data = bytearray()
        with contextlib.closing(answer["Body"]) as body:
            while chunk := body.read(1 << 20):
                data += chunk
                if len(data) > LARGEST:
                    raise ValueError(f"{options['Key']} is larger than any result")
        return bytes(data)

    def _client(self) -> Any:
        with self._lock:
            if self._s3 is None:
                brief = {"connect_timeout": 3, "read_timeout": 10, "retries": {"max_attempts": 1}}
                self._s3 = aws.of_shell(self._credentials.variables, self._region, "s3", **brief)
            return self._s3


def of(settings: Settings, warn: Callable[[str], None], cancellation: Cancellation) -> Bucket | None:
    """Return the bucket that the settings name, or None. By default only jobs of protected refs write to it."""
    return Bucket(settings, warn, cancellation) if settings.results.remote else None
