from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto.core.base_backend import BackendDict
from moto.iam import models as iam_models
from moto.s3.models import s3_backends

from longshore.local.aws import metrics, state
from tests.unit.local.aws.local_aws import LocalAws


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    forget()
    # AWS's own policies take longer to read than a test to run.
    monkeypatch.setattr(iam_models, "load_iam_aws_managed_policies", lambda: False)
    yield LocalAws(tmp_path)
    forget()


@pytest.fixture(autouse=True)
def nothing_measured() -> None:
    """Datapoints are one per process too."""
    metrics.MINUTES.clear()


def forget() -> None:
    """Empty moto, whose state is one per process; but for EC2's, which has a thousand images to make first."""
    for backends in list(BackendDict._instances):
        if backends.service_name != "ec2":
            dict.clear(backends)
    s3_backends.bucket_accounts.clear()


@pytest.fixture
def restart(tmp_path: Path) -> Callable[[], LocalAws]:
    """Return a function that stands for an end and a new start of the server on the same folder."""

    def again() -> LocalAws:
        forget()
        state.restore(tmp_path / "snapshot")
        return LocalAws(tmp_path)

    return again
