"""The store of results that several checkouts share: an S3 bucket. It is a convenience; when it is away, steps run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from longshore.settings import Settings


class Bucket:
    """Results below `s3://NAME/PREFIX`. What is read is checked by whoever reads it; nothing is written unless MAY_WRITE."""

    def __init__(self, url: str, region: str, *, may_write: bool, warn: Callable[[str], None]) -> None:
        self.url = url.rstrip("/")
        self.may_write = may_write
        self._name, _, prefix = self.url.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._region, self._warn = region, warn
        self._lock = threading.Lock()
        self._made: Any = None
        self._away = False

    def get(self, name: str) -> bytes | None:
        """Return what is kept under NAME, None where nothing is or the bucket is away."""
        answer = self._ask("get_object", Key=self._prefix + name)
        return answer["Body"].read() if answer else None

    def put(self, name: str, data: bytes) -> None:
        """Keep DATA under NAME for all who share the bucket."""
        if self.may_write:
            self._ask("put_object", Key=self._prefix + name, Body=data)

    def _ask(self, method: str, **words: Any) -> Any:
        if self._away:
            return None
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client(), method)(Bucket=self._name, **words)
        except ClientError as problem:
            if problem.response["Error"]["Code"] == "NoSuchKey":
                return None
            cause: Exception = problem
        except BotoCoreError as problem:
            cause = problem
        if not self._away:
            self._away = True
            self._warn(f"the shared cache {self.url} cannot be used, so it is left out: {cause}")
        return None

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                import boto3
                from botocore.config import Config

                brief = Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 1})
                self._made = boto3.client("s3", region_name=self._region or None, config=brief)
            return self._made


def of(settings: Settings, warn: Callable[[str], None]) -> Bucket | None:
    """Return the bucket that the settings name, or None. Unless they say otherwise only a job of a protected ref writes to it."""
    table = settings.results
    if not table.remote:
        return None
    trusted = settings.environ.get("CI_COMMIT_REF_PROTECTED") == "true"
    may_write = table.write == "always" or (table.write == "protected" and trusted)
    return Bucket(table.remote, table.region, may_write=may_write, warn=warn)
