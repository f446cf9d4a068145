"""What is recorded of releases, and which of them may be returned to."""

from __future__ import annotations

import base64
import gzip
import json
import random
from pathlib import Path

import pytest

from longshore.commands.kubectl import Cluster
from longshore.errors import CommandFailed, Precondition
from longshore.rollout import records
from longshore.rollout.manifest import Manifest
from longshore.rollout.records import FAILED, GOOD, INTENT, ROLLED_BACK, Release, choose, last_good, name
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import app, hook, item, recorded

MIGRATED = Manifest(before=(hook(irreversible="true"),)).text


PASSWORD = "planted-Passw0rd-7391"  # pragma: allowlist secret
SECRETS = (
    item("Secret", "smtp", stringData={"password": PASSWORD}),
    item("Secret", "api", data={"key": base64.b64encode(PASSWORD.encode()).decode()}, type="Opaque"),
)


@pytest.fixture
def cluster(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> Cluster:
    return site_of(kubernetes, kubectl, tmp_path).cluster


def large(number: int, size: int = 3 << 20) -> Release:
    """A release whose manifest does not get smaller than SIZE."""
    noise = random.Random(number).randbytes(size)
    parts = [noise[at : at + (512 << 10)] for at in range(0, size, 512 << 10)]
    maps = [
        item("ConfigMap", f"noise-{index}", binaryData={"noise": base64.b64encode(part).decode()})
        for index, part in enumerate(parts)
    ]
    return recorded(number, Manifest(rolled_out=(app("1"), *maps)).text)


def chosen(releases: list[Release], number: int, *, past_migrations: bool = False) -> int:
    return choose(releases, number, past_migrations=past_migrations, environment="e").number


def test_two_bad_releases_in_a_row_still_lead_to_the_good_one() -> None:
    verdicts = {4: INTENT, 3: ROLLED_BACK, 2: FAILED, 1: GOOD}
    newest_first = [recorded(number, verdict=verdict) for number, verdict in verdicts.items()]
    assert last_good(newest_first) == newest_first[-1]


def test_without_a_good_release_there_is_nothing_to_return_to() -> None:
    assert last_good([recorded(1, verdict=FAILED)]) is None


def test_records_sort_by_name_as_by_number() -> None:
    assert sorted([name(10), name(9), name(100)]) == [name(9), name(10), name(100)]


def test_a_rollback_returns_to_the_good_release_before_what_runs() -> None:
    history = [recorded(4), recorded(3, verdict=ROLLED_BACK), recorded(2), recorded(1)]
    assert chosen(history, 0) == 2
    assert chosen(history, 1) == 1


@pytest.mark.parametrize("number", [3, 9])
def test_a_release_that_was_not_good_is_nothing_to_return_to(number: int) -> None:
    with pytest.raises(Precondition, match="no such good release"):
        chosen([recorded(4), recorded(3, verdict=ROLLED_BACK)], number)


def test_a_rollback_stops_at_an_irreversible_migration_unless_told_otherwise() -> None:
    history = [recorded(3), recorded(2, MIGRATED, ROLLED_BACK), recorded(1)]
    with pytest.raises(Precondition, match="release 2 ran an irreversible migration"):
        chosen(history, 1)
    assert chosen(history, 1, past_migrations=True) == 1


def test_what_is_written_is_read_back_newest_first(cluster: Cluster, kubectl: Kubectl) -> None:
    releases = [recorded(10, Manifest(rolled_out=(app("1"),)).text), recorded(9, verdict=ROLLED_BACK)]
    for release in releases:
        records.write(cluster, kubectl, release)
    assert records.history(cluster, kubectl) == releases
    assert records.history(cluster, kubectl)[0].content.rolled_out == (app("1"),)


def test_a_record_is_compressed(kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl) -> None:
    release = recorded(1, Manifest(rolled_out=(app("1"),)).text)
    records.write(cluster, kubectl, release)
    stored = kubernetes.get("ConfigMap", name(1))
    assert (stored["data"]["format"], stored["data"]["parts"]) == ("2", "1")
    assert "manifest" not in stored["data"]
    assert gzip.decompress(base64.b64decode(stored["binaryData"]["manifest"])).decode() == release.manifest


def test_a_record_of_an_older_version_is_read(kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl) -> None:
    text = Manifest(rolled_out=(app("1"), *SECRETS)).text
    data = {
        "number": "1",
        "revision": "r1",
        "digest": "sha256:r1",
        "actor": "somebody",
        "started": "",
        "manifest": text,
    }
    data |= {"finished": "", "verdict": GOOD, "cause": ""}  # the oldest have no job
    labels = {records.LABEL: records.KIND}
    kubernetes.put({"kind": "ConfigMap", "metadata": {"name": name(1), "labels": labels}, "data": data})
    assert records.history(cluster, kubectl) == [recorded(1, text)]


def test_what_a_newer_version_added_to_a_record_is_ignored(
    kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    records.write(cluster, kubectl, recorded(1))
    stored = kubernetes.get("ConfigMap", name(1))
    stored["data"] |= {"mood": "cheerful", "verdict": "good, mostly"}
    stored["binaryData"]["mood"] = ""
    assert records.history(cluster, kubectl) == [recorded(1, verdict="good, mostly")]


def test_a_record_in_a_newer_form_is_listed_but_never_applied_or_overwritten(
    kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    for number, verdict in ((1, GOOD), (2, GOOD), (3, INTENT)):
        records.write(cluster, kubectl, recorded(number, verdict=verdict))
    for number in (2, 3):
        kubernetes.get("ConfigMap", name(number))["data"]["format"] = "9"
    releases = records.history(cluster, kubectl)
    assert [(release.number, release.readable) for release in releases] == [(3, False), (2, False), (1, True)]
    with pytest.raises(Precondition, match=r"the manifest of release 2 cannot be read: .* form 9") as caught:
        chosen(releases, 2)
    assert "newer" in caught.value.hint
    kubernetes.asked.clear()
    assert [release.verdict for release in records.abandon(cluster, kubectl, releases, "now")] == [FAILED, GOOD, GOOD]
    assert kubernetes.asked == []


def test_a_manifest_beyond_what_one_object_holds_is_split(
    kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    releases = [large(2), recorded(1)]
    for release in releases:
        records.write(cluster, kubectl, release)
    assert len(kubernetes.names("ConfigMap")) > 4
    assert records.history(cluster, kubectl) == releases


def test_a_record_whose_parts_are_not_all_there_is_damaged(
    kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    records.write(cluster, kubectl, large(1))
    kubernetes.drop("ConfigMap", f"{name(1)}-2")
    with pytest.raises(Precondition, match="the manifest of release 1 cannot be read: it is damaged"):
        _ = records.history(cluster, kubectl)[0].content


@pytest.mark.parametrize("size", [0, 2 << 20], ids=["small", "large"])
def test_secrets_of_a_manifest_are_recorded_in_a_secret_and_nowhere_else(
    size: int, kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    noise = random.Random(1).randbytes(size // 2).hex()
    more = [item("Secret", "noise", stringData={f"n{at}": noise[at : at + 9999]}) for at in range(0, size, 9999)]
    release = recorded(1, Manifest(rolled_out=(app("1"), SECRETS[0], item("Service", "app"), SECRETS[1], *more)).text)
    records.write(cluster, kubectl, release)
    assert name(1) in kubernetes.names("Secret")
    assert (len(kubernetes.names("Secret")) > 1) == bool(size)
    for stored in kubernetes.names("ConfigMap"):
        found = kubernetes.get("ConfigMap", stored)
        packed = base64.b64decode(found["binaryData"]["manifest"])
        text = json.dumps(found) + (gzip.decompress(packed).decode() if stored == name(1) else "")
        assert PASSWORD not in text
        assert base64.b64encode(PASSWORD.encode()).decode() not in text
    assert records.history(cluster, kubectl) == [release]
    assert kubectl.redactor.text(f"it printed {PASSWORD}") == "it printed [redacted]"


def test_secrets_that_a_record_holds_are_known_to_who_reads_it(
    kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    records.write(cluster, kubectl, recorded(1, Manifest(rolled_out=SECRETS).text))
    another = Kubectl(kubernetes)
    assert records.history(cluster, another)
    assert another.redactor.text(PASSWORD) == "[redacted]"


def test_who_may_not_read_secrets_may_still_list_releases(
    kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    records.write(cluster, kubectl, recorded(2, Manifest(rolled_out=SECRETS).text))
    records.write(cluster, kubectl, recorded(1))
    kubernetes.forbidden = {"secrets"}
    releases = records.history(cluster, kubectl)
    assert [(release.number, release.readable) for release in releases] == [(2, False), (1, True)]
    with pytest.raises(Precondition, match=r"the manifest of release 2 cannot be read: cannot list .*secrets"):
        chosen(releases, 2)


def test_a_secret_in_what_a_release_died_of_is_not_recorded(
    kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl
) -> None:
    release = recorded(1, Manifest(rolled_out=SECRETS).text).ended(FAILED, "now", f"exited with 1: {PASSWORD} is wrong")
    records.write(cluster, kubectl, release)
    assert kubernetes.get("ConfigMap", name(1))["data"]["cause"] == "exited with 1: [redacted] is wrong"


def test_a_refused_part_leaves_no_record_that_began(kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl) -> None:
    kubernetes.refusals = ["exceeded quota: secrets"]
    with pytest.raises(CommandFailed):
        records.write(cluster, kubectl, recorded(1, Manifest(rolled_out=SECRETS).text, verdict=INTENT))
    assert records.history(cluster, kubectl) == []


def test_nothing_of_a_pruned_record_is_left(kubernetes: Kubernetes, cluster: Cluster, kubectl: Kubectl) -> None:
    text = Manifest(rolled_out=(*large(1).content.rolled_out, *SECRETS)).text
    for number in (1, 2, 3):
        records.write(cluster, kubectl, recorded(number, text))
    kubernetes.drop("ConfigMap", name(2))  # of a run that was killed while it pruned
    records.write(cluster, kubectl, recorded(4))  # the release that prunes is not among the earlier ones
    kubernetes.put(item("Secret", "somebody-elses"))
    records.prune(cluster, kubectl, records.history(cluster, kubectl)[1:], keep=1)
    maps = kubernetes.names("ConfigMap")
    assert {left.removeprefix("longshore-release-").partition("-")[0] for left in maps} == {"000003", "000004"}
    assert kubernetes.names("Secret") == [name(3), "somebody-elses"]


def test_a_release_that_a_dead_run_left_is_recorded_as_failed(
    kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path
) -> None:
    cluster = site_of(kubernetes, kubectl, tmp_path).cluster
    left = [recorded(2, verdict=INTENT), recorded(1)]
    ended = records.abandon(cluster, kubectl, left, "now")
    assert [release.verdict for release in ended] == [FAILED, GOOD]
    assert records.history(cluster, kubectl) == ended[:1], "what was recorded already is not written again"


def test_the_last_good_record_is_never_pruned(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    cluster = site_of(kubernetes, kubectl, tmp_path).cluster
    verdicts = {4: FAILED, 3: FAILED, 2: GOOD, 1: GOOD}
    releases = [recorded(number, verdict=verdict) for number, verdict in verdicts.items()]
    for release in releases:
        records.write(cluster, kubectl, release)
    records.prune(cluster, kubectl, releases, keep=1)
    assert kubernetes.names("ConfigMap") == [name(2), name(4)]
