"""An account of Amazon in this process, and the bucket of an environment's state in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket

from tests.unit.infra.given import infra


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # Moto ignores conditions, so the bucket's policy would deny every request and not only those without TLS.
    monkeypatch.setattr(FakeBucket, "get_permission", lambda self, action, resource: PermissionResult.NEUTRAL)
    with mock_aws():
        yield


@pytest.fixture
def bucket(account: None, tmp_path: Path) -> None:
    infra(tmp_path).bucket.ensure()
