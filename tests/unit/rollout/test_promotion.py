"""What may be promoted: an image that an environment verified, of a commit, for nodes of the same kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from longshore.errors import Precondition
from longshore.files import Memory
from longshore.image.build import BuiltImage, Place
from longshore.rollout import promotion
from longshore.rollout.promotion import Promotion, Verified
from longshore.rollout.records import FAILED, GOOD, INTENT, ROLLED_BACK, Release
from longshore.settings.model import Environment, LocalEnvironment
from tests.unit.rollout.things import recorded

ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")
VERIFIED = Verified(
    environment="staging",
    number=3,
    repository="111111111111.dkr.ecr.eu-central-1.amazonaws.com/shop/app",
    digest=ONE,
    revision="1" * 12,
    tag="a" * 16,
    platform="linux/amd64",
)


def history(*told: tuple[int, str, str]) -> list[Release]:
    return [replace(recorded(number, verdict=verdict), digest=digest) for number, digest, verdict in told]


@pytest.mark.parametrize(
    ("releases", "digest", "number"),
    [
        (history((2, TWO, GOOD), (1, ONE, GOOD)), "", 2),
        (history((3, THREE, ROLLED_BACK), (2, TWO, GOOD), (1, ONE, GOOD)), "", 2),
        (history((3, THREE, INTENT), (2, TWO, FAILED), (1, ONE, GOOD)), "", 1),
        (history((2, TWO, GOOD), (1, ONE, GOOD)), ONE, 1),
        (history((2, ONE, ROLLED_BACK), (1, ONE, GOOD)), ONE, 1),
    ],
)
def test_the_newest_good_release_is_promoted(releases: list[Release], digest: str, number: int) -> None:
    assert promotion.chosen(releases, digest, "staging").number == number


@pytest.mark.parametrize(
    ("releases", "digest", "why"),
    [
        ([], "", "staging has no good release to promote"),
        (history((1, ONE, ROLLED_BACK)), "", "staging has no good release to promote"),
        (history((2, TWO, GOOD)), ONE, f"staging never verified {ONE}$"),
        (history((2, ONE, ROLLED_BACK), (1, TWO, GOOD)), ONE, f"never verified {ONE}: its release 2 is rolled back"),
        (history((2, ONE, INTENT), (1, TWO, GOOD)), ONE, "its release 2 is started"),
    ],
)
def test_what_was_never_verified_is_refused(releases: list[Release], digest: str, why: str) -> None:
    with pytest.raises(Precondition, match=why) as refusal:
        promotion.chosen(releases, digest, "staging")
    assert "invoke history -e staging" in refusal.value.hint


STAGING = Environment(name="staging", account="111111111111", region="eu-central-1")


def test_uncommitted_work_is_not_promoted() -> None:
    promotion.require(VERIFIED, STAGING)
    with pytest.raises(Precondition, match="staging runs uncommitted work"):
        promotion.require(replace(VERIFIED, revision=f"{'1' * 12}-dirty-{'2' * 8}"), STAGING)


@pytest.mark.parametrize(
    "facts",
    [
        {"revision": "--output=/etc/passwd"},
        {"revision": "main"},
        {"digest": f"sha256:{'1' * 64}/../../other"},
        {"tag": "latest?n=1"},
        {"repository": "evil.example/shop/app"},
        {"repository": "111111111111.dkr.ecr.eu-central-1.amazonaws.com.evil.example/shop/app"},
        {"repository": "333333333333.dkr.ecr.eu-central-1.amazonaws.com/shop/app"},
        {"repository": "127.0.0.1:5000/shop/app"},
        {"repository": "111111111111.dkr.ecr.eu-central-1.amazonaws.com/shop/app?x=@evil"},
    ],
)
def test_a_record_that_longshore_never_wrote_reaches_neither_git_nor_a_registry(facts: dict[str, str]) -> None:
    with pytest.raises(Precondition, match=f"the {next(iter(facts))} of what staging verified is"):
        promotion.require(replace(VERIFIED, **facts), STAGING)


@pytest.mark.parametrize("guest", [False, True])
def test_a_registry_of_this_machine_is_one_for_its_owner_and_for_a_rehearsed_job(guest: bool) -> None:
    local = LocalEnvironment(id="shop", state=Path("/nonexistent"), run=Path("/nonexistent"), guest=guest)
    here = replace(STAGING, local=local)
    promotion.require(replace(VERIFIED, repository="198.19.0.2:5001/shop/app"), here)
    with pytest.raises(Precondition, match="the repository of what staging verified is"):
        promotion.require(replace(VERIFIED, repository="198.19.0.2:5001/shop/app?x=@evil"), here)


def test_what_one_job_verified_the_next_one_gets(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    image = BuiltImage(repository="host/shop", digest=ONE, fingerprint="a" * 64, platform="linux/amd64")
    verified = Verified.of("staging", 3, image, "1" * 12)
    verified.hand_on(memory)
    assert Verified.handed_on(memory, "staging") == verified
    assert (verified.tag, verified.named) == ("a" * 16, "staging, release 3")
    with pytest.raises(Precondition, match="no release of other was handed on"):
        Verified.handed_on(memory, "other")


@pytest.mark.parametrize("record", [{}, {"environment": "staging"}, {"environment": "staging", "number": "x"}])
def test_what_is_no_record_was_not_handed_on(tmp_path: Path, record: dict[str, Any]) -> None:
    Memory(tmp_path).put("verified", **record)
    with pytest.raises(Precondition, match="no release of staging was handed on"):
        Verified.handed_on(Memory(tmp_path), "staging")


def test_an_image_for_other_nodes_is_not_copied() -> None:
    place = Place(repository="222222222222.dkr.ecr.eu-west-1.amazonaws.com/shop/app", platform="linux/arm64")
    offer = Promotion(verified=VERIFIED, logins=None)  # type: ignore[arg-type] # nobody is asked
    with pytest.raises(Precondition, match="the image is for linux/amd64, and the nodes here are linux/arm64"):
        offer.copy(place, "", lambda seconds: None, lambda text, *_: None)
