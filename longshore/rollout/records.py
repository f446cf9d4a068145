"""The records of releases, in the application's namespace.

Each is a ConfigMap with the facts and the compressed manifest, which continues in further ConfigMaps where it does not
fit. The manifest's Secrets are in a Secret of the same name. Records of older versions hold the manifest as text.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import fields, replace

from longshore.commands.kubectl import Cluster
from longshore.errors import Precondition
from longshore.kubernetes.api import Api
from longshore.kubernetes.apply import apply
from longshore.kubernetes.paths import collection
from longshore.process.runner import Runner
from longshore.rollout import packing
from longshore.rollout.manifest import Manifest, Object

LABEL = "longshore.dev/record"
KIND, PART = "release", "release-part"  # values of the label: a record, and whatever else belongs to one
STATE = "longshore.dev/verdict"  # a label, so that one query finds a release that a run left unfinished
INTENT, GOOD, FAILED, ROLLED_BACK = "started", "good", "failed", "rolled back"
FORM = "2"  # how manifests are recorded; the first versions did not say


class Release(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One recorded deployment. Times are UTC in ISO 8601, `manifest` is the text of what it applied, `job` a URL.

    `promoted` says which environment had verified the image before, and in which release; empty: none.
    """

    number: int
    revision: str
    digest: str
    actor: str
    started: str
    manifest: str
    finished: str = ""
    verdict: str = INTENT
    cause: str = ""
    job: str = ""
    promoted: str = ""

    @property
    def readable(self) -> bool:
        """Whether the manifest is known."""
        return True

    @cached_property
    def content(self) -> Manifest:
        """The parsed manifest. Raises Precondition where it cannot be read."""
        return Manifest.parse(self.manifest)

    def ended(self, verdict: str, finished: str, cause: str = "") -> Release:
        return replace(self, verdict=verdict, finished=finished, cause=cause)


class Unreadable(Release, frozen=True, kw_only=True, dict=True):
    """A recorded deployment whose manifest cannot be read here, for the `reason`."""

    manifest: str = ""
    reason: str
    hint: str

    @property
    def readable(self) -> bool:
        return False

    @cached_property
    def content(self) -> Manifest:
        sentence = f"the manifest of release {self.number} cannot be read: {self.reason}"
        raise Precondition(sentence, hint=self.hint)


FACTS = tuple(field.name for field in fields(Release) if field.name not in ("number", "manifest"))


def history(cluster: Cluster, runner: Runner) -> list[Release]:
    """Return the recorded releases, the newest first. RUNNER's redactor learns the Secrets in them."""
    api, problem = Api(cluster, runner), ""
    heads = api.items(collection("ConfigMap", cluster.namespace), f"{LABEL}={KIND}")
    objects = {("ConfigMap", head["metadata"]["name"]): head for head in heads}
    counts = [_pieces(head) for head in heads]
    try:
        if any(shown > 1 for shown, _ in counts):
            objects |= _parts(api, "ConfigMap")
        if any(hidden for _, hidden in counts):
            objects |= _parts(api, "Secret")
    except Precondition as refusal:  # who may not read Secrets may still know which releases there were
        problem = refusal.sentence
    releases = [_read(head, objects, problem, runner) for head in heads if _number(head)]
    return sorted(releases, key=lambda release: release.number, reverse=True)


def _read(head: Object, objects: Mapping[tuple[str, str], Object], problem: str, runner: Runner) -> Release:
    """Return the record that begins with HEAD. PROBLEM says why some of the OBJECTS of records could not be read."""
    data, number = head.get("data") or {}, _number(head)
    facts: dict[str, Any] = {"number": number, **{fact: data.get(fact, "") for fact in FACTS}}
    if data.get("format", FORM) != FORM:
        reason, hint = f"it is recorded in the form {data['format']}", "a newer Longshore recorded it; use that one"
        return Unreadable(**facts, reason=reason, hint=hint)
    try:
        if "format" in data:
            shown, hidden = ([name(number, piece) for piece in range(1, count + 1)] for count in _pieces(head))
            text = packing.unpack(objects["ConfigMap", part]["binaryData"]["manifest"] for part in shown)
            secrets = packing.unpack(objects["Secret", part]["data"]["manifest"] for part in hidden) if hidden else ""
            text = packing.join(text, secrets)
        else:
            text = data["manifest"]
            secrets = packing.part(text)[1]
    except (packing.Damaged, KeyError) as damage:
        reason = problem or f"it is damaged ({damage})"
        return Unreadable(**facts, reason=reason, hint="`invoke history` lists the other releases")
    runner.redactor.add(*packing.values(secrets))
    return Release(**facts, manifest=text)


def _parts(api: Api, kind: str) -> dict[tuple[str, str], Object]:
    """Return the parts of all records that are of KIND, by kind and name. Raises Precondition."""
    items = api.items(collection(kind, api.namespace), f"{LABEL}={PART}")
    return {(kind, item["metadata"]["name"]): item for item in items}


def _number(item: Object) -> int:
    """Return the number of the release that the object ITEM belongs to, 0 if it is none of ours."""
    found = re.match(r"longshore-release-(\d+)(-\d+)?$", item["metadata"]["name"])
    return int(found[1]) if found else 0


def _pieces(head: Object) -> tuple[int, int]:
    """Return how many ConfigMaps and Secrets a record has; 0 in any but our own form."""
    data = head.get("data") or {}
    counts = [data.get(key, "") for key in ("parts", "secrets")]
    ours = data.get("format") == FORM and all(count.isdecimal() for count in counts)
    return (int(counts[0]), int(counts[1])) if ours else (0, 0)


def unfinished(namespace: str) -> str:
    """Return the path of the list of at most one release that was started and has no verdict."""
    return f"{collection('ConfigMap', namespace)}?limit=1&labelSelector={LABEL}%3D{KIND},{STATE}%3D{INTENT}"


def last_good(releases: list[Release]) -> Release | None:
    """Return the newest good release, or None."""
    return next((release for release in releases if release.verdict == GOOD), None)


def choose(releases: list[Release], number: int, *, past_migrations: bool, environment: str) -> Release:
    """Return the good release called NUMBER, for 0 the one before what runs.

    Raises Precondition where there is none, or where a later one ran an irreversible migration, unless PAST_MIGRATIONS.
    """
    good = [release for release in releases if release.verdict == GOOD]
    candidates = [release for release in good if release.number == number] if number else good[1:]
    if not candidates:
        hint = f"`invoke history -e {environment}` lists them"
        raise Precondition("there is no such good release to return to", hint=hint)
    chosen = candidates[0]
    _ = chosen.content  # it has to be readable
    later = (release for release in releases if release.number > chosen.number and release.content.irreversible)
    if not past_migrations and (past := next(later, None)):
        raise Precondition(
            f"release {past.number} ran an irreversible migration, which release {chosen.number} does not know",
            hint="nothing was changed; `--past-migrations` returns to it anyway",
        )
    return chosen


def write(cluster: Cluster, runner: Runner, release: Release) -> None:
    """Record RELEASE, replacing what was recorded under its number. RUNNER's redactor learns the Secrets in it."""
    text, secrets = packing.part(release.manifest)
    runner.redactor.add(*packing.values(secrets))
    shown, hidden = packing.pack(text), packing.pack(secrets) if secrets else []

    def stored(kind: str, piece: int, labels: dict[str, str], **content: dict[str, str]) -> Object:
        metadata = {"name": name(release.number, piece), "namespace": cluster.namespace, "labels": labels}
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **content}

    part = {LABEL: PART}
    parts = [stored("Secret", piece, part, data={"manifest": data}) for piece, data in enumerate(hidden, start=1)]
    parts += [
        stored("ConfigMap", piece, part, binaryData={"manifest": data}) for piece, data in enumerate(shown[1:], start=2)
    ]
    if parts:
        apply(cluster, runner, parts)
    facts = {fact: getattr(release, fact) for fact in FACTS} | {"cause": runner.redactor.text(release.cause)}
    facts |= {"number": str(release.number), "format": FORM, "parts": str(len(shown)), "secrets": str(len(hidden))}
    labels = {LABEL: KIND, STATE: release.verdict.replace(" ", "-")}
    # The last one: whoever finds it finds the rest.
    apply(cluster, runner, [stored("ConfigMap", 1, labels, data=facts, binaryData={"manifest": shown[0]})])


def abandon(cluster: Cluster, runner: Runner, releases: list[Release], now: str) -> list[Release]:
    """Return RELEASES with those that are still `started` as failed, and record that: their runs are dead.

    One that cannot be read is left for the Longshore that can, since recording it would lose its manifest.
    """
    cause = "its run ended before there was a verdict"
    ended = [release.ended(FAILED, now, cause) if release.verdict == INTENT else release for release in releases]
    for before, after in zip(releases, ended, strict=True):
        if after is not before and after.readable:
            write(cluster, runner, after)
    return ended


def prune(cluster: Cluster, runner: Runner, releases: list[Release], keep: int) -> None:
    """Delete the oldest records beyond KEEP with all their parts, but never that of the last good release."""
    good = last_good(releases)
    old = [release for release in releases[keep:] if good is None or release.number != good.number]
    if not old:
        return
    kept = {release.number for release in releases if release not in old}
    doomed = [("ConfigMap", name(release.number)) for release in old]
    api = Api(cluster, runner)
    with suppress(Precondition):  # the release is good and recorded; the next one prunes
        parts = _parts(api, "ConfigMap") | _parts(api, "Secret")
        # Parts without a record are what a killed run left; newer ones belong to the release that prunes.
        kept.update(number for number in map(_number, parts.values()) if number > releases[0].number)
        doomed += [key for key, part in parts.items() if _number(part) not in kept]
    runner.admit(change=True)
    api.several((f"{collection(kind, cluster.namespace)}/{named}" for kind, named in doomed), "DELETE")


def now() -> str:
    """Return the time as a record has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def name(number: int, piece: int = 1) -> str:
    """Return the name of the record of release NUMBER, or of a further PIECE of it."""
    return f"longshore-release-{number:06d}" + (f"-{piece}" if piece > 1 else "")
