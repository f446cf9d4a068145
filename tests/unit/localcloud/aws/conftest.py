from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from moto.core.base_backend import AccountSpecificBackend, BackendDict
from moto.ec2.models import ec2_backends
from moto.eks import utils as eks_utils
from moto.iam import models as iam_models
from moto.s3.models import s3_backends

from localcloud.aws import iam, metrics, state
from tests.unit.localcloud.aws.local_aws import LocalAws


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's key, as the first local AWS makes it."""
    with quick():
        iam.ensure_operator(file := tmp_path_factory.mktemp("operator") / "credentials")
    return file


@pytest.fixture
def aws(tmp_path: Path, credentials: Path) -> Iterator[LocalAws]:
    shutil.copy2(credentials, tmp_path)  # one key for all tests, so that they share their clients
    with quick():
        yield LocalAws(tmp_path)


@contextmanager
def quick() -> Iterator[None]:
    """Empty moto, and skip what takes longer to load than a test to run."""
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
    """Drop all datapoints; they too are one set per process."""
    metrics.MINUTES.clear()


def forget() -> None:
    """Empty moto, whose state is one per process, except EC2's, which would load a thousand images again."""
    for backends in list(BackendDict._instances):
        if backends.service_name != "ec2":
            dict.clear(backends)
    for regions in ec2_backends.values():
        for region in dict.values(regions):
            region.addresses.clear()
            for vpc in [identifier for identifier, vpc in region.vpcs.items() if not vpc.is_default]:
                del region.vpcs[vpc]
    s3_backends.bucket_accounts.clear()


@pytest.fixture
def restart(tmp_path: Path) -> Callable[[], LocalAws]:
    """Return a function that does what stopping and starting the server on the same folder does."""

    def again() -> LocalAws:
        forget()
        state.restore(tmp_path / "snapshot")
        return LocalAws(tmp_path)

    return again
