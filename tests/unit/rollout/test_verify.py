"""The public address is asked until it answers with the release, over TLS that is really checked."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from longshore import __version__
from longshore.rollout import verify
from longshore.rollout.asked import Asked
from tests.unit.api_server import BLOCKED, Site
from tests.unit.rollout.things import recorded

RIGHT = {"digest": "sha256:new", "revision": "new", "pod": "app-1"}


def ask(
    site: Site,
    deadline: float = 5,
    replicas: Sequence[tuple[str, ...]] = (),
    asked: Asked = verify.ALWAYS,
    client: verify.Client | None = None,
) -> set[str]:
    return verify.until_answers(
        site,
        recorded(1, revision="new"),
        deadline=deadline,
        pause=lambda seconds: None,
        say=lambda text: None,
        asked=asked,
        replicas=lambda: replicas,
        client=client,
    )


def test_every_answer_in_a_row_must_be_the_release(site: Site) -> None:
    old = RIGHT | {"digest": "sha256:old"}
    site.answers = [old, RIGHT, RIGHT, old, 502, RIGHT | {"pod": "app-2"}, RIGHT]
    assert ask(site) == {"app-1", "app-2"}


def test_another_digest_is_named_in_the_failure(site: Site) -> None:
    site.answers = [RIGHT | {"digest": "sha256:old", "revision": "old"}]
    with pytest.raises(verify.Unverified, match="it answers with revision old, digest sha256:old"):
        ask(site, deadline=0.2)


def test_silence_is_said_with_what_may_cause_it(site: Site) -> None:
    """The pods are ready, since the kubelet's probes are the node's, whatever a policy says."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            verify.Client(address, None, timeout=0.1) as client,
            pytest.raises(verify.Unverified, match=r"nothing answers in time, .* NetworkPolicy lets nobody in"),
        ):
            ask(site, deadline=0.3, client=client)


def test_a_path_that_is_silent_is_named(site: Site) -> None:
    def get(path: str) -> tuple[int, str]:
        raise TimeoutError("The read operation timed out")

    assert verify._sick(get, ["/reports"]) == "/reports does not answer in time"


@pytest.mark.parametrize("path", ["/ä", "/a b", "/\ud800"])
def test_a_path_that_cannot_be_asked_for_is_not_answered(site: Site, path: str) -> None:
    """A record of an earlier version may hold one."""
    with verify.Client(site.url, site.authority) as client, pytest.raises(OSError, match="no HTTP answer"):
        client.get(path)


def test_an_error_page_is_not_the_release(site: Site) -> None:
    site.answers = [503]
    with pytest.raises(verify.Unverified, match="/version answered with status 503"):
        ask(site, deadline=0.2)


def test_a_certificate_of_another_authority_is_not_accepted(site: Site) -> None:
    site.answers = [RIGHT]
    site.authority = None  # type: ignore[assignment]
    with pytest.raises(verify.Unverified, match="certificate verify failed"):
        ask(site, deadline=0.2)


def test_it_goes_on_until_every_replica_has_answered(site: Site) -> None:
    site.answers = [*[RIGHT] * 12, RIGHT | {"pod": "app-2"}]
    assert ask(site, replicas=[("app-1", "app-2"), ("worker-1",)]) == {"app-1", "app-2"}


def test_a_balancer_that_never_leads_to_one_replica_is_no_reason_to_undo_a_release(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MEET", 0.1)
    site.answers = [RIGHT]
    assert ask(site, replicas=[("app-1", "app-2"), ("worker-1",)]) == {"app-1"}


def test_another_path_may_tell_the_version(site: Site) -> None:
    site.answers = [RIGHT]
    assert ask(site, asked=Asked(version="/about/release")) == {"app-1"}
    assert {path for _, path, _ in site.asked} == {"/about/release"}


def test_what_is_to_be_well_has_to_answer_below_500(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CHECKED", 0.2)
    asked = Asked(check=("/orders",))
    row: list[object] = [RIGHT] * verify.ANSWERS
    site.answers = [*row, 500, RIGHT, 500, RIGHT]
    assert ask(site, asked=asked) == {"app-1"}
    site.answers = [*row, *[404, RIGHT] * verify.ANSWERS]
    assert ask(site, asked=asked) == {"app-1"}
    site.answers = [*row, *[500, *row] * 10_000]
    with pytest.raises(verify.Unverified, match="does not serve the release: /orders answered with status 500"):
        ask(site, deadline=30, asked=asked)


def test_requests_at_once_are_all_answered_by_the_release(site: Site) -> None:
    """One by one they may all take the same kept connection; what a smoke test meets then is another one."""
    old, row = RIGHT | {"digest": "sha256:old"}, [RIGHT] * verify.ANSWERS
    site.answers = [*row, RIGHT, RIGHT, old, RIGHT | {"pod": "app-2"}]
    assert ask(site) == {"app-1", "app-2"}, "it began anew"
    site.answers = [*row, old, *[RIGHT] * (verify.CROWD - 1)] * 1000
    with pytest.raises(verify.Unverified, match="another release answers as well"):
        ask(site, deadline=0.3)


def test_asking_for_long_stays_below_what_the_web_acl_allows(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(verify, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def pause(seconds: float) -> None:
        clock[0] += max(seconds, 0.01)

    old, wanted = RIGHT | {"digest": "sha256:old"}, recorded(1, revision="new")
    site.answers = [*[RIGHT] * verify.ANSWERS, old, *[RIGHT] * (verify.CROWD - 1)] * 1000
    with pytest.raises(verify.Unverified):
        verify.until_answers(site, wanted, deadline=120, pause=pause, say=lambda _: None)
    assert len(site.asked) / clock[0] < 2000 / 300


def test_one_answer_of_an_old_pod_does_not_make_a_path_well(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "CHECKED", 0.3)
    row: list[object] = [RIGHT] * verify.ANSWERS
    site.answers = [*row, 200, RIGHT, *[500, *row, 200, RIGHT] * 10_000]
    with pytest.raises(verify.Unverified, match="does not serve the release: /orders answered with status 500"):
        ask(site, deadline=30, asked=Asked(check=("/orders",)))


def test_every_request_names_who_asks(site: Site) -> None:
    site.answers = [RIGHT]
    verify.ask(site.url, "/version", site.authority)
    assert site.agents == [f"longshore/{__version__}"]


def test_while_the_web_acl_blocks_us_the_deadline_stands_still(site: Site) -> None:
    site.answers = [*[BLOCKED] * 3, RIGHT]
    told: list[str] = []
    answered = verify.until_answers(
        site,
        recorded(1, revision="new"),
        deadline=0.5,
        pause=lambda seconds: time.sleep(min(seconds, 0.3)),
        say=told.append,
    )
    assert answered == {"app-1"}
    assert "the web ACL of the load balancer blocks this machine (403)" in told[0]


def test_an_address_that_the_web_acl_keeps_closed_says_nothing_about_the_release(site: Site) -> None:
    site.answers = [BLOCKED]
    with pytest.raises(verify.Unasked, match=r"the web ACL .* what was applied stays") as caught:
        verify.until_answers(
            site, recorded(1, revision="new"), deadline=0.1, pause=time.sleep, say=lambda _: None, patience=0.1
        )
    assert caught.value.exit_code == 7
    assert verify.blocked(site.url, site.authority)


@pytest.mark.parametrize("answer", [403, {"status": 403}])
def test_a_403_of_the_application_is_its_own(site: Site, answer: object) -> None:
    site.answers = [answer]
    with pytest.raises(verify.Unverified):
        ask(site, deadline=0.1)
    assert not verify.blocked(site.url, site.authority)
