"""How many pods there are once a manifest no longer says it, since an autoscaler does."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from longshore.errors import RolledBack
from longshore.rollout import pruning
from longshore.rollout.manifest import Manifest
from longshore.rollout.release import run
from longshore.rollout.secrets import Secrets
from tests.unit.rollout.shop import Shop
from tests.unit.rollout.things import TARGET, Thing, app, item

SCALER = item(
    "HorizontalPodAutoscaler", "app", "autoscaling/v2", spec={"scaleTargetRef": {"kind": "Deployment", "name": "app"}}
)


def free(revision: str) -> Thing:
    made = app(revision)
    del made["spec"]["replicas"]
    return made


def release(shop: Shop, made: Thing, revision: str) -> None:
    scalers = () if "replicas" in made["spec"] else (SCALER,)
    manifest = Manifest(rolled_out=(made, *scalers), mark=revision)
    target = replace(TARGET, digest=f"sha256:{revision}", revision=revision)
    run(shop.site, manifest, target, Secrets(), lambda *_: None)


def pods(shop: Shop) -> int:
    return int(shop.kubernetes.get("Deployment")["spec"].get("replicas", 1))


def test_a_number_that_leaves_the_manifest_stays_until_an_autoscaler_changes_it(shop: Shop) -> None:
    """Kubernetes would make it 1 at once: server-side apply takes away what nobody says any more."""
    release(shop, app("one", replicas=4), "one")
    release(shop, free("two"), "two")
    assert pods(shop) == 4
    release(shop, free("three"), "three")
    assert pods(shop) == 4
    release(shop, app("four", replicas=2), "four")
    assert pods(shop) == 2, "and what a manifest says again holds"


def test_a_number_that_leaves_without_an_autoscaler_is_gone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    release(shop, app("one", replicas=4), "one")
    monkeypatch.setitem(SCALER["spec"], "scaleTargetRef", {"kind": "Deployment", "name": "another"})
    release(shop, free("two"), "two")
    assert pods(shop) == 1


def test_a_way_back_to_a_release_without_a_number_keeps_what_there_is(shop: Shop) -> None:
    release(shop, free("one"), "one")
    shop.kubernetes.crashes = {"two"}
    with pytest.raises(RolledBack):
        release(shop, app("two", replicas=4), "two")
    assert pods(shop) == 4


def test_what_keeps_the_number_is_not_somebody_else(shop: Shop) -> None:
    release(shop, app("one", replicas=4), "one")
    release(shop, free("two"), "two")
    made = shop.kubernetes.get("Deployment")
    assert len(made["metadata"]["managedFields"]) == 2
    assert pruning.created_here(made)
