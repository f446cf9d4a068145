from __future__ import annotations

from typing import Any

import pytest

from localcloud.aws import answers
from localcloud.aws.call import Answer, Call

MADE: Answer = (200, [], b"made")


def call(action: str = "CreateAlias", key: str = "AKIA1", name: str = "one", attempt: Any = 2) -> Call:
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/kms/aws4_request,"
        " SignedHeaders=host, Signature=0",
        "x-amz-target": f"TrentService.{action}",
        "amz-sdk-invocation-id": name,
        "amz-sdk-request": f"attempt={attempt}; max=3",
    }
    return Call("POST", "/", "", headers, b"")


@pytest.fixture
def kept() -> answers.Answers:
    kept = answers.Answers()
    kept.keep(call(attempt=1), MADE)
    return kept


def test_a_further_attempt_gets_the_first_ones_answer(kept: answers.Answers) -> None:
    assert kept.given(call()) == kept.given(call(attempt=25)) == MADE


@pytest.mark.parametrize(
    "other",
    [call(attempt=1), call(attempt="x"), call(attempt=10**9), call("CreateKey"), call(key="AKIA2"), call(name="two")],
    ids=["first", "no number", "huge", "other action", "other key", "other call"],
)
def test_no_other_call_gets_it(kept: answers.Answers, other: Call) -> None:
    assert kept.given(other) is None


@pytest.mark.parametrize(
    ("first", "answer"),
    [(call("DescribeKey"), MADE), (call(), (400, [], b"not found")), (call(name=""), MADE)],
    ids=["read", "refused", "nameless"],
)
def test_what_is_asked_anew_is_not_kept(first: Call, answer: Answer) -> None:
    kept = answers.Answers()
    kept.keep(first, answer)
    assert kept.given(first) is None


def test_the_oldest_is_forgotten(kept: answers.Answers) -> None:
    for number in range(answers.KEPT):
        kept.keep(call(name=f"later-{number}"), MADE)
    assert kept.given(call()) is None
    assert kept.given(call(name="later-0")) == MADE
