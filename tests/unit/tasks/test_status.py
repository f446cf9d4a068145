"""What `invoke status` says when AWS does not let it ask."""

from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from longshore import aws
from longshore.errors import Precondition
from longshore.settings.model import Environment
from longshore.tasks import release


def test_alarms_that_may_not_be_read_are_said_with_amazons_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    client = boto3.client("cloudwatch", region_name="eu-central-1", **keys)
    monkeypatch.setattr(aws, "client", lambda *_: client)
    with Stubber(client) as amazon:
        amazon.add_client_error("describe_alarms", "AccessDenied", "somebody is not authorized to do that")
        with pytest.raises(Precondition, match="somebody is not authorized to do that"):
            release._ringing(Environment(name="production"), "shop-production")
