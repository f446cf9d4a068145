"""The shared cache: an S3 bucket with results for several checkouts. Without it, steps just run.

It belongs to no environment: it is where the shell says that AWS is, with the shell's credentials, whatever local AWS
an environment of this machine has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from longshore import aws
from longshore.settings.model import Settings


class Bucket:
    """Results below `s3://NAME/PREFIX`, which the settings name. Readers check what they get.

    It is used only if it belongs to the account in the settings, and nothing is written unless they allow it.
    """

    def __init__(self, settings: Settings, warn: Callable[[str], None]) -> None:
        table = settings.results
        self.url = table.remote.rstrip("/")
        self.may_write = table.write == "always" or (table.write == "protected" and settings.job.protected_ref)
        self._credentials, self._region, self._warn = settings.credentials, table.region, warn
        name, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._whose = {"Bucket": name, "ExpectedBucketOwner": table.account}
        self._prefix = f"{prefix}/" if prefix else ""
        self._lock = threading.Lock()
        self._s3: Any = None
        self._unreachable = False

    def get(self, name: str) -> bytes | None:
        """Return what is kept under NAME; None where there is nothing or the bucket cannot be reached."""
        answer = self._ask("get_object", Key=self._prefix + name)
        return answer["Body"].read() if answer else None

    def put(self, name: str, data: bytes) -> None:
        """Keep DATA under NAME for everyone who shares the bucket."""
        if self.may_write:
            self._ask("put_object", Key=self._prefix + name, Body=data)

    def _ask(self, method: str, **options: Any) -> Any:
        if self._unreachable:
            return None
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client(), method)(**self._whose, **options)
        except ClientError as problem:
            if problem.response["Error"]["Code"] == "NoSuchKey":
                return None
            cause: Exception = problem
        except BotoCoreError as problem:
            cause = problem
        if not self._unreachable:
            self._unreachable = True
            self._warn(f"ignoring the shared cache {self.url}: {cause}")
        return None

    def _client(self) -> Any:
        with self._lock:
            if self._s3 is None:
                brief = {"connect_timeout": 3, "read_timeout": 10, "retries": {"max_attempts": 1}}
                self._s3 = aws.of_shell(self._credentials.variables, self._region, "s3", **brief)
            return self._s3


def of(settings: Settings, warn: Callable[[str], None]) -> Bucket | None:
    """Return the bucket that the settings name, or None. By default only jobs of protected refs write to it."""
    return Bucket(settings, warn) if settings.results.remote else None
