"""Whom a release makes way for, and what it leaves alone: another run, another cluster, an older commit."""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from collections.abc import Callable

import pytest

from longshore.errors import BadInput, Interrupted, LockHeld, Precondition
from longshore.rollout import lease, records
from longshore.rollout.lease import LeaseLost
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.shop import Shop
from tests.unit.rollout.sites import impatient, site_of
from tests.unit.rollout.things import Thing, app, item, recorded


def test_nothing_is_changed_while_another_release_runs(shop: Shop) -> None:
    shop.release("one")
    steals(shop)(app("one"))
    shop.site = site_of(shop.kubernetes, shop.kubectl, shop.folder, settings={"lease_wait": 0.0})
    with pytest.raises(LockHeld, match="somebody-else"):
        shop.release("two")
    assert shop.records() == [(1, "one", "good")]
    assert shop.revision == "one"


def steals(shop: Shop) -> Callable[[Thing], None]:
    """Somebody else takes the lease while the Deployment is applied."""

    def steal(thing: Thing) -> None:
        if thing["kind"] == "Deployment":
            held = shop.kubernetes.get("Lease", lease.NAME)
            spec = {**held["spec"], "holderIdentity": "somebody-else"}
            shop.kubernetes.put({"kind": "Lease", "metadata": {"name": lease.NAME}, "spec": spec})

    return steal


def test_a_run_that_lost_its_lease_changes_nothing_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.release("one")
    monkeypatch.setattr(lease, "BEAT", 0.3)
    shop.site = impatient(shop.site)
    shop.kubernetes.unserved = {"two"}
    shop.kubernetes.on_apply = steals(shop)
    with pytest.raises(LeaseLost):
        shop.release("two")
    assert shop.records()[0] == (2, "two", "started"), "whoever has the lease brings it to its end"
    assert shop.revision == "two"


def test_a_release_that_a_killed_run_left_is_failed_by_the_next_one(shop: Shop) -> None:
    shop.release("one")
    records.write(shop.site.cluster, shop.kubectl, recorded(2, verdict=records.INTENT, revision="two"))
    assert shop.release("three").number == 3
    assert shop.records() == [(3, "three", "good"), (2, "two", "failed"), (1, "one", "good")]


def fingerprint(shop: Shop) -> str:
    der = ssl.PEM_cert_to_DER_cert(shop.kubernetes.authority.read_text())
    return hashlib.sha256(der).hexdigest()


def with_cluster(shop: Shop, value: str) -> None:
    shop.site = site_of(shop.kubernetes, shop.kubectl, shop.folder, settings={"cluster": value})


@pytest.mark.parametrize(
    "written", [str, lambda text: ":".join(re.findall("..", text.upper()))], ids=["hex", "openssl"]
)
def test_a_deployer_can_tell_the_cluster_of_the_settings(shop: Shop, written: Callable[[str], str]) -> None:
    shop.kubernetes.forbidden.add("namespaces")  # kube-system, for one, is none of a deployer's business
    with_cluster(shop, written(fingerprint(shop)))
    shop.release("one")
    assert shop.kubernetes.names("Deployment") == ["app"]


def test_another_cluster_than_the_settings_mean_is_left_alone(shop: Shop) -> None:
    with_cluster(shop, "0" * 64)
    with pytest.raises(Precondition, match=f"this is the cluster {fingerprint(shop)}, but local is {'0' * 64}"):
        shop.release("one")
    assert shop.kubernetes.asked == []


def test_a_cluster_in_the_older_form_is_refused_with_the_newer(shop: Shop) -> None:
    with_cluster(shop, "11111111-2222-3333-4444-555555555555")
    with pytest.raises(BadInput, match="`cluster` of local is the UID of a namespace") as caught:
        shop.release("one")
    assert f'`cluster = "{fingerprint(shop)}"`' in caught.value.hint
    assert shop.kubernetes.asked == []


def test_a_newer_release_that_was_waited_for_is_not_undone_by_an_older_one(shop: Shop) -> None:
    shop.release("old")
    shop.kubectl.older = {"old", "one"}
    shop.site = site_of(shop.kubernetes, shop.kubectl, shop.folder, settings={"protected": True}, commit="one")

    def meanwhile(path: str) -> None:
        if path.endswith(lease.NAME):
            shop.kubernetes.on_ask = lambda path: None
            records.write(shop.site.cluster, Kubectl(shop.kubernetes), recorded(2, revision="two"))

    shop.kubernetes.on_ask = meanwhile
    with pytest.raises(Precondition, match="one is older: release 2 serves two"):
        shop.release("one")
    assert shop.revision == "old"


def test_an_older_commit_is_released_where_it_is_asked_for(shop: Shop) -> None:
    shop.release("two")
    protected = {"settings": {"protected": True}, "commit": "one", "allow_older": True}
    shop.site = site_of(shop.kubernetes, shop.kubectl, shop.folder, **protected)
    assert shop.release("one").number == 2


def test_the_namespace_is_set_before_anything_is_applied_in_it(shop: Shop) -> None:
    shop.release("one", rights=(item("Namespace", "shop"),))
    applied = [json.loads(str(command.stdin))["items"][0]["kind"] for command in shop.kubectl.ran[:2]]
    assert applied == ["Namespace", "Deployment"]


def test_a_signal_ends_a_release_without_a_verdict(shop: Shop) -> None:
    shop.release("one")

    def interrupt(thing: Thing) -> None:
        if thing["kind"] == "Deployment":
            shop.kubectl.cancellation._note(15, None)

    shop.kubernetes.on_apply = interrupt
    with pytest.raises(Interrupted):
        shop.release("two")
    assert shop.records()[0] == (2, "two", "started")
