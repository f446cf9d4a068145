"""Signatures, against AWS's published test suite and against what botocore does not sign itself."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from localcloud.aws.signature import BadSignature, Signed

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # pragma: allowlist secret
TIME = "20150830T123600Z"
NOW = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC)
VANILLA = Signed(
    method="GET",
    path="/",
    query=[],
    headers={"host": "example.amazonaws.com", "x-amz-date": TIME, "user-agent": "sdk  1"},
    signed_headers="host;x-amz-date",
    scope="20150830/us-east-1/service/aws4_request",
    time=TIME,
)


@pytest.mark.parametrize(
    ("call", "signature"),
    [
        (VANILLA, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),  # pragma: allowlist secret
        (
            replace(VANILLA, query=[("Param2", "value2"), ("Param1", "value1")]),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",  # pragma: allowlist secret
        ),
    ],
)
def test_a_call_of_awss_test_suite_has_the_published_signature(call: Signed, signature: str) -> None:
    assert call.signature(SECRET) == signature
    call.check(SECRET, signature, NOW)


def test_a_client_may_sign_headers_that_botocore_leaves_out() -> None:
    """Java's SDK signs `user-agent`."""
    call = replace(VANILLA, signed_headers="host;user-agent;x-amz-date")
    other = replace(call, headers={**call.headers, "user-agent": "sdk 2"})
    assert len({VANILLA.signature(SECRET), call.signature(SECRET), other.signature(SECRET)}) == 3


def test_s3_signs_the_path_as_sent_and_others_encode_it_again() -> None:
    s3 = replace(VANILLA, scope="20150830/us-east-1/s3/aws4_request")
    for call, equal in ((s3, False), (VANILLA, True)):
        dotted, plain = replace(call, path="/a/./b").signature(SECRET), replace(call, path="/a/b").signature(SECRET)
        assert (dotted == plain) is equal


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (replace(VANILLA, scope="20150830/us-east-1/service"), "scope"),
        (replace(VANILLA, scope="20150831/us-east-1/service/aws4_request"), "scope"),
        (replace(VANILLA, signed_headers="x-amz-date"), "host"),
        (replace(VANILLA, time="yesterday"), "time"),
        (replace(VANILLA, method="POST"), "does not match"),
        (replace(VANILLA, payload="UNSIGNED-PAYLOAD"), "does not match"),
    ],
)
def test_another_call_is_refused_with_a_reason(call: Signed, reason: str) -> None:
    with pytest.raises(BadSignature, match=reason):
        call.check(SECRET, VANILLA.signature(SECRET), NOW)
