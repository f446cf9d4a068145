from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.eks import utils as eks_utils
from moto.iam import models as iam_models
from moto.s3.models import s3_backends

from longshore.local.aws import iam, metrics, state
from tests.unit.local.aws.local_aws import LocalAws


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's key, as the first local AWS makes it."""
    with quick():
        iam.ensure_operator(file := tmp_path_factory.mktemp("operator") / "credentials")
    return file


@pytest.fixture
def aws(tmp_path: Path, credentials: Path) -> Iterator[LocalAws]:
    shutil.copy2(credentials, tmp_path)  # one key for all tests, so that their clients may be used again
    with quick():
        yield LocalAws(tmp_path)


@contextmanager
def quick() -> Iterator[None]:
    """Empty moto, and leave out what takes longer to read than a test to run."""
    with pytest.MonkeyPatch.context() as patch:
        # AWS's own policies.
        patch.setattr(iam_models, "load_iam_aws_managed_policies", lambda: False)
        # The regions, for each cluster.
        patch.setattr(eks_utils, "Session", AccountSpecificBackend.get_session)
        forget()
        yield
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
