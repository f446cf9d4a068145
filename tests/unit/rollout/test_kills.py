"""A container that a probe killed twice: which probe, what it heard, and how long it waits."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.rollout.pods import Trouble, trouble
from tests.unit.rollout.things import Thing, aged, known, pod, warning

STARTUP = {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 2, "timeoutSeconds": 2}
STARTUP["failureThreshold"] = 30
LIVENESS = {"httpGet": {"path": "/livez", "port": "http"}}
STATUS = "HTTP probe failed with statuscode: 503"
ADDRESS = 'Get "http://10.88.0.7:5000/livez"'
START, END = "2026-01-01T00:01:02Z", "2026-01-01T00:02:07Z"


def killed(times: int = 2, *, lived: tuple[str, str] = (START, END), code: int = 0, **more: Any) -> Thing:
    """A container that runs again after that many restarts."""
    last = {"exitCode": code, "reason": "Completed", "startedAt": lived[0], "finishedAt": lived[1]}
    return {"restartCount": times, "state": {"running": {}}, "lastState": {"terminated": last}, **more}


def said(
    container: Thing, *warnings: tuple[str, str], probes: Thing | None = None, since: str = "", created: str = START
) -> Trouble | None:
    """The trouble of a pod with these PROBES; a warning is a message and when it was."""
    thing = aged(pod("app-1", ready=False, container=container), created)
    chosen = {"startupProbe": STARTUP, "livenessProbe": LIVENESS} if probes is None else probes
    thing["spec"] = {"containers": [{"name": "app", "image": "app", **chosen}]}
    events = [warning("app-1", "Unhealthy", message, at) for message, at in warnings]
    objects = known(since, Pod=[thing], Event=events)
    return trouble(objects.named["Pod", "app-1"], objects)


def test_the_second_kill_names_the_probe_its_answer_and_its_limits() -> None:
    found = said(killed(), (f"Startup probe failed: {STATUS}", END))
    sentence = "does not start: the startup probe killed container app twice: "
    sentence += "GET /livez answered 503; it has 60 s (30 \N{MULTIPLICATION SIGN} 2 s)"
    assert found == Trouble(sentence, crash=True)


def test_one_kill_is_tolerated() -> None:
    assert said(killed(1), (f"Startup probe failed: {STATUS}", END)) is None


def test_a_kill_counts_while_the_container_is_still_down() -> None:
    down = killed(1)
    down["state"] = {"terminated": {"exitCode": 137, "startedAt": START, "finishedAt": END}}
    found = said(down, (f"Liveness probe failed: {STATUS}", END), probes={"livenessProbe": LIVENESS})
    assert found
    assert found.sentence.startswith("keeps restarting: the liveness probe killed container app twice: ")


def test_kills_that_the_kubelet_already_calls_a_loop_are_named_all_the_same() -> None:
    looping = killed(4, state={"waiting": {"reason": "CrashLoopBackOff"}})
    heard = [(f"Liveness probe failed: {STATUS}", END), (f"Readiness probe failed: {STATUS}", END)]
    found = said(looping, *heard, probes={"livenessProbe": LIVENESS})
    assert found
    assert "the liveness probe killed container app 4 times" in found.sentence
    assert "it has 30 s (3 \N{MULTIPLICATION SIGN} 10 s)" in found.sentence


@pytest.mark.parametrize(
    ("probe", "message", "answer"),
    [
        (
            LIVENESS,
            f"{ADDRESS}: dial tcp 10.88.0.7:5000: connect: connection refused",
            "GET /livez: dial tcp 10.88.0.7",
        ),
        (LIVENESS, f"{ADDRESS}: context deadline exceeded (Client.Timeout)", "GET /livez had no answer within 1 s"),
        ({"exec": {"command": ["test", "-f", "/up"]}}, "no such file", "`test -f /up`: no such file"),
        ({"tcpSocket": {"port": 5000}}, "dial tcp 10.88.0.7:5000: i/o timeout", "port 5000: dial tcp"),
        ({"grpc": {"port": 50051}}, "service unhealthy", "gRPC at port 50051: service unhealthy"),
    ],
)
def test_what_the_probe_asked_and_heard_is_said(probe: Thing, message: str, answer: str) -> None:
    found = said(killed(), (f"Liveness probe failed: {message}", END), probes={"livenessProbe": probe})
    assert found
    assert f"killed container app twice: {answer}" in found.sentence


def test_a_delay_is_part_of_the_limit() -> None:
    probe = {**LIVENESS, "initialDelaySeconds": 40}
    found = said(killed(), (f"Liveness probe failed: {STATUS}", END), probes={"livenessProbe": probe})
    assert found
    assert found.sentence.endswith("it has 70 s (40 s + 3 \N{MULTIPLICATION SIGN} 10 s)")


def test_a_container_that_ended_before_its_probe_could_kill_it_has_crashed() -> None:
    soon = killed(2, lived=(START, "2026-01-01T00:01:04Z"), code=3, state={"waiting": {"reason": "CrashLoopBackOff"}})
    found = said(soon, (f"Startup probe failed: {STATUS}", END))
    assert found
    assert found.sentence.startswith("keeps crashing: container app exited with code 3")


def test_the_probe_that_failed_last_in_its_life_killed_the_container() -> None:
    refused = f"Startup probe failed: {ADDRESS}: connect: connection refused"  # at the start of the next one, too
    found = said(killed(), (f"Liveness probe failed: {STATUS}", END), (refused, "2026-01-01T00:02:08Z"))
    assert found
    assert "the liveness probe killed" in found.sentence


def test_another_containers_probe_killed_nothing_here() -> None:
    objects = known(Event=[warning("app-1", "Unhealthy", f"Liveness probe failed: {STATUS}", END, container="side")])
    assert trouble(pod("app-1", container=killed()), objects) is None


def test_restarts_from_before_the_application_are_not_counted() -> None:
    heard = (f"Liveness probe failed: {STATUS}", END)
    assert said(killed(9), heard, since="2026-01-01T00:01:30Z") is None
    assert said(killed(9), heard, since="2026-01-01T00:01:00Z")


READINESS = {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 3}
GONE = "HTTP probe failed with statuscode: 404"


def unfound(
    at: str, *, path: str = "/readyz", kind: str = "Readiness", probe: Thing = READINESS, message: str = GONE
) -> Trouble | None:
    running = {"state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    probes = {f"{kind.lower()}Probe": {**probe, "httpGet": {"path": path, "port": "http"}}}
    return said(running, (f"{kind} probe failed: {message}", at), probes=probes)


def test_a_path_that_answers_404_for_as_long_as_its_probe_waits_will_not_come() -> None:
    found = unfound("2026-01-01T00:00:05Z")
    assert found
    assert found.decides
    assert found.sentence == (
        "answers 404 to GET /readyz, its readiness probe: `readiness` under [application] says what to ask"
    )


def test_a_path_that_is_not_there_yet_may_come() -> None:
    assert unfound("2026-01-01T00:00:04Z") is None
    slow = {**READINESS, "periodSeconds": 5, "failureThreshold": 2}
    assert unfound("2026-01-01T00:00:09Z", probe=slow) is None
    assert unfound("2026-01-01T00:00:30Z", message="HTTP probe failed with statuscode: 503") is None


def test_nobody_waits_a_minute_for_a_path_that_is_not_there() -> None:
    found = unfound("2026-01-01T00:00:15Z", kind="Startup", path="/livez", probe=STARTUP)
    assert found
    assert "answers 404 to GET /livez, its startup probe: `health` under [application]" in found.sentence


def test_a_module_that_was_not_loaded_is_said_to_be_missing() -> None:
    found = unfound("2026-01-01T00:00:06Z", path="/.longshore/readyz")
    assert found
    assert "the module that Longshore adds was not loaded" in found.sentence
