"""What is wrong with a pod, in words, and whether waiting may mend it."""

from __future__ import annotations

import pytest

from longshore.rollout.pods import Trouble, probe, trouble, unready
from tests.unit.rollout.things import Thing, ended, known, pod, waiting, warning

BACKOFF = "Back-off pulling image"
NOT_FOUND = 'failed to resolve reference "r/app:x": r/app:x: not found'
REFUSED = 'failed to do request: Head "http://r/v2/": dial tcp 10.0.0.1:5000: connect: connection refused'


def look(thing: Thing, warnings: list[tuple[str, str]] | None = None, since: str = "") -> Trouble | None:
    events = [warning(thing["metadata"]["uid"], reason, message) for reason, message in warnings or ()]
    return trouble(thing, known(since, Event=events))


def said(container: Thing, warnings: list[tuple[str, str]] | None = None, **status: object) -> Trouble:
    found = look(pod("app-1", ready=False, container=container, **status), warnings)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("container", "sentence", "waits_for"),
    [
        (waiting("CrashLoopBackOff", lastState=ended(3)), "keeps crashing: container app exited with code 3", ""),
        (
            waiting("CrashLoopBackOff", lastState=ended(137, "OOMKilled")),
            "container app exceeded its memory limit and was killed (OOMKilled, exit code 137)",
            "",
        ),
        (
            waiting("CrashLoopBackOff", lastState=ended(0, "Completed")),
            "exited with code 0, but a service must keep running",
            "",
        ),
        (waiting("CrashLoopBackOff", lastState=ended(139)), "was killed by signal 11 (exit code 139)", ""),
        (
            waiting("CrashLoopBackOff", lastState=ended(128, "StartError", message="exec /app: exec format error")),
            "the image is for another CPU architecture",
            "",
        ),
        (waiting("ErrImagePull", NOT_FOUND), f"cannot pull the image of container app (ErrImagePull): {NOT_FOUND}", ""),
        (waiting("ErrImagePull", REFUSED), "connection refused", "pull"),
        (waiting("ImagePullBackOff", BACKOFF), f"(ImagePullBackOff): {BACKOFF}", "pull"),
        (waiting("ErrImagePull", "lookup registry: no such host: not found"), "no such host", "pull"),
        (waiting("InvalidImageName"), "cannot use the image of container app", ""),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), 'secret "x" not found', "config"),
        (
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
            "runAsNonRoot",
            "",
        ),
        (
            waiting("RunContainerError", 'exec: "nope": executable file not found in $PATH'),
            "cannot start container app",
            "",
        ),
        (waiting("RunContainerError", "context deadline exceeded"), "cannot start container app", "config"),
    ],
)
def test_a_container_that_waits_says_why_and_whether_it_may_pass(
    container: Thing, sentence: str, waits_for: str
) -> None:
    found = said(container)
    assert sentence in found.sentence
    assert found.waits_for == waits_for


def test_the_cause_of_a_back_off_is_found_in_the_warnings() -> None:
    found = said(waiting("ImagePullBackOff", BACKOFF), [("Failed", NOT_FOUND), ("Failed", "Error: ImagePullBackOff")])
    assert NOT_FOUND in found.sentence
    assert found.waits_for == ""


def test_the_second_crash_counts_before_the_kubelet_speaks_of_a_loop() -> None:
    again = {"restartCount": 1, "state": ended(3, at="2026-01-01T00:00:02Z"), "lastState": ended(3)}
    assert said(again).sentence == "keeps crashing: container app exited with code 3"


@pytest.mark.parametrize(
    "container",
    [
        {"restartCount": 0, "state": ended(3)},
        {"restartCount": 1, "state": {"running": {}}, "lastState": ended(3)},
        {"restartCount": 7, "state": ended(3, at="2026-01-02T00:00:00Z"), "lastState": ended(3)},
    ],
    ids=["the first", "one that recovers", "two a day apart"],
)
def test_a_single_crash_is_tolerated(container: Thing) -> None:
    assert look(pod("app-1", ready=False, container=container)) is None


def test_a_liveness_probe_that_ends_the_container_is_named() -> None:
    found = said(waiting("CrashLoopBackOff", lastState=ended(137)), [("Unhealthy", "Liveness probe failed: timeout")])
    assert found.sentence.endswith("killed by signal 9 (exit code 137) after Liveness probe failed: timeout")


def test_an_init_container_that_is_done_is_no_crash() -> None:
    done = {"name": "prepare", "restartCount": 1, "state": ended(0), "lastState": ended(1)}
    assert look(pod("app-1", ready=False, initContainerStatuses=[done])) is None
    crashed = {"name": "prepare", **waiting("CrashLoopBackOff", lastState=ended(5))}
    assert "container prepare exited with code 5" in said({}, initContainerStatuses=[crashed]).sentence


def test_a_pod_without_a_node_waits_for_one() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    assert said({}, conditions=[condition]) == Trouble(sentence="cannot be scheduled: 0/1 nodes", waits_for="schedule")


def test_a_pod_that_its_node_has_not_taken_waits_for_that_node() -> None:
    """As where a node has died, which Kubernetes takes most of a minute to notice. Who takes a pod says since when."""
    scheduled = {"type": "PodScheduled", "status": "True"}
    there = pod("app-1", ready=False, conditions=[scheduled], containerStatuses=[])
    there["spec"]["nodeName"] = "local-2"
    assert look(there) == Trouble("was given to the node local-2, which has not taken it", "node")
    there["status"]["startTime"] = "2026-01-01T00:00:00Z"
    assert look(there) is None


@pytest.mark.parametrize(
    ("reason", "message", "sentence", "waits_for"),
    [
        ("FailedMount", 'configmap "x" not found', 'cannot mount its volumes: configmap "x" not found', "config"),
        ("FailedAttachVolume", "volume is in use", "cannot mount its volumes: volume is in use", "volume"),
        ("FailedCreatePodSandBox", "no address left", "cannot set up its network: no address left", "schedule"),
    ],
)
def test_a_pod_without_containers_is_explained_by_the_warnings(
    reason: str, message: str, sentence: str, waits_for: str
) -> None:
    found = said({"containerID": None, **waiting("ContainerCreating")}, [(reason, message)])
    assert (found.sentence, found.waits_for) == (sentence, waits_for)


def test_the_last_failed_probe_explains_a_pod_that_runs_and_is_not_ready() -> None:
    warnings = [{"reason": "Unhealthy", "message": f"Readiness probe failed: {n}"} for n in (404, 503)]
    assert unready(pod("app-1", ready=False), warnings) == "Readiness probe failed: 503"
    assert probe([]) == ""


def test_a_container_that_just_ended_explains_more_than_its_probe() -> None:
    crashed = pod("app-1", ready=False, container={"state": ended(4)})
    said = unready(crashed, [{"reason": "Unhealthy", "message": "Readiness probe failed: refused"}])
    assert said == "container app exited with code 4; Readiness probe failed: refused"
