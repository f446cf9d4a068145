"""The public address is asked until it answers with the release, over TLS that is really checked."""

from __future__ import annotations

import pytest

from longshore.rollout import verify
from tests.unit.rollout.conftest import Site

RIGHT = {"digest": "sha256:new", "revision": "new", "pod": "app-1"}


def ask(site: Site, deadline: float = 5, replicas: tuple[str, ...] = ()) -> set[str]:
    return verify.until_answers(
        site.url, site.authority, digest="sha256:new", revision="new", deadline=deadline, pause=lambda seconds: None, say=lambda text: None,
        replicas=lambda: replicas,
    )  # fmt: skip


def test_every_answer_in_a_row_must_be_the_release(site: Site) -> None:
    old = RIGHT | {"digest": "sha256:old"}
    site.answers = [old, RIGHT, RIGHT, old, 502, RIGHT | {"pod": "app-2"}, RIGHT]
    assert ask(site) == {"app-1", "app-2"}


def test_another_digest_is_named_in_the_failure(site: Site) -> None:
    site.answers = [RIGHT | {"digest": "sha256:old", "revision": "old"}]
    with pytest.raises(verify.Unverified, match="it answers with revision old, digest sha256:old"):
        ask(site, deadline=0.2)


def test_an_error_page_is_not_the_release(site: Site) -> None:
    site.answers = [503]
    with pytest.raises(verify.Unverified, match="answered 503"):
        ask(site, deadline=0.2)


def test_a_certificate_of_another_authority_is_not_accepted(site: Site) -> None:
    site.answers = [RIGHT]
    site.authority = None  # type: ignore[assignment]
    with pytest.raises(verify.Unverified, match="certificate verify failed"):
        ask(site, deadline=0.2)


def test_it_goes_on_until_every_replica_has_answered(site: Site) -> None:
    site.answers = [*[RIGHT] * 12, RIGHT | {"pod": "app-2"}]
    assert ask(site, replicas=("app-1", "app-2")) == {"app-1", "app-2"}


def test_a_balancer_that_never_leads_to_one_replica_is_no_reason_to_undo_a_release(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "MEET", 0.1)
    site.answers = [RIGHT]
    assert ask(site, replicas=("app-1", "app-2")) == {"app-1"}
