"""What is read from the events of `terraform apply -json`."""

from __future__ import annotations

import json

import pytest

from longshore.infra.events import Events


def event(kind: str, **more: object) -> str:
    return json.dumps({"type": kind, **more})


def test_progress_counts_finished_resources_of_all_changes() -> None:
    reports: list[tuple[object, ...]] = []
    events = Events(2, lambda *report: reports.append(report))
    hook = {"resource": {"addr": "aws_vpc.this"}}
    for line in (
        "not json",
        event("apply_start", hook=hook),
        event("apply_complete", hook=hook),
        event("version"),
        event("apply_complete", hook={**hook, "action": "read"}),
    ):
        events(line)
    assert reports == [("applying aws_vpc.this", 0, 2), ("applying aws_vpc.this", 1, 2)]


def test_the_resource_in_progress_for_longest_is_reported() -> None:
    reports: list[str] = []
    events = Events(3, lambda text, done, total: reports.append(text))
    for kind, address in (("apply_start", "a.slow"), ("apply_start", "a.fast"), ("apply_complete", "a.fast")):
        events(event(kind, hook={"resource": {"addr": address}}))
    assert reports == ["applying a.slow"] * 3


def test_errors_are_collected_from_the_events() -> None:
    events = Events(1, lambda *report: None)
    events(event("diagnostic", **{"@level": "error", "@message": "Error: no such zone"}))
    events(event("diagnostic", **{"@level": "warn", "@message": "Warning: old"}))
    assert events.errors == ["Error: no such zone"]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("AlreadyExistsException: An alias with the name a already exists", False),
        ("EntityAlreadyExists: Role with name a", False),
        ("api error InvalidGroup.Duplicate: The security group 'a' …", False),
        ("BucketAlreadyOwnedByYou: Your previous request", False),
        ("AccessDenied: not authorized", True),
    ],
)
def test_what_aws_has_and_the_state_has_not_is_told_by_its_address(text: str, *, known: bool) -> None:
    events = Events(1, lambda *report: None)
    diagnostic = {"address": "aws_iam_role.a", "detail": "", "summary": f"creating a: {text}"}
    events(event("diagnostic", diagnostic=diagnostic, **{"@level": "error", "@message": f"Error: creating a: {text}"}))
    assert events.unknown == ([] if known else ["aws_iam_role.a"])


def test_outputs_are_those_of_the_last_event() -> None:
    events = Events(1, lambda *report: None)
    events(event("outputs", outputs={"url": {"sensitive": False, "action": "create"}}))
    events(event("outputs", outputs={"url": {"sensitive": False, "type": "string", "value": "https://a.b"}}))
    assert events.outputs["url"]["value"] == "https://a.b"
