"""Copies an image to another registry as it is, by its digest. What is there already is not sent again."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from longshore.graph.steps import Progress
from longshore.image import registry
from longshore.image.registry import Reference, Unreachable

SILENCE = 60.0  # seconds that a registry may be silent while a layer is on its way
TRIES, PAUSE = 3, 2.0  # for each layer; seconds between two
LARGEST = 4 << 20  # bytes of a manifest, as registries have it
MB = 1 << 20


class Transfer(Struct, frozen=True, kw_only=True):
    """From SOURCE, an image by its digest, to TARGET, the same by the tag it will have; each with its registry's login.

    A login is `user:password` in base64. PAUSE sleeps for some seconds, and raises when the run is to end.
    """

    source: Reference
    target: Reference
    source_login: str
    target_login: str
    pause: Callable[[float], object]

    def run(self, progress: Progress) -> None:
        """Copy what the target lacks: layers first, the manifest with its tag last.

        Raises Unreachable with the cause; a repeated run goes on with the layer that was on its way.
        """
        try:
            manifests = list(self._manifests(self.source.version))
            blobs = [blob for _, _, listed in manifests for blob in (listed.get("config"), *listed.get("layers", ()))]
            wanted = {str(blob["digest"]): int(blob["size"]) for blob in blobs if blob}
        except (ValueError, LookupError, TypeError, AttributeError) as problem:
            raise Unreachable(f"{self.source.version} is no image: {problem!r}") from None
        progress("asking which layers are there")
        missing = {digest: size for digest, size in wanted.items() if not self._there(f"blobs/{digest}")}
        total, done = sum(missing.values()), 0
        for digest, size in missing.items():
            self._send(digest, size, partial(_say, progress, done, total))
            done += size
        for raw, kind, _ in manifests[1:]:
            self._put(digest_of(raw), raw, kind)
        raw, kind, _ = manifests[0]
        self._put(self.target.version, raw, kind)
        if (found := registry.digest(self.target, self.target_login)) != self.source.version:
            raise Unreachable(f"{self.target.host} has {found or 'nothing'} where {self.source.version} was copied to")

    def _manifests(self, digest: str) -> Iterator[tuple[bytes, str, dict[str, Any]]]:
        """Yield the manifest with DIGEST, then those that it lists: content, type, and the parsed document."""
        with registry.answering(self.source, f"manifests/{digest}", self.source_login) as answer:
            if answer is None:
                raise Unreachable(f"{self.source.host} no longer has {digest} of {self.source.name}")
            raw, kind = answer.read(LARGEST), str(answer.headers.get("Content-Type") or "")
        if digest_of(raw) != digest:
            raise Unreachable(f"{self.source.host} has another content under {digest}")
        document = json.loads(raw)
        yield raw, kind, document
        for listed in document.get("manifests", ()):
            yield from self._manifests(str(listed["digest"]))

    def _there(self, path: str) -> bool:
        with registry.answering(self.target, path, self.target_login, method="HEAD") as answer:
            return answer is not None

    def _send(self, digest: str, size: int, say: Callable[[int], object]) -> None:
        """Bring the blob DIGEST of SIZE bytes to the target; one that breaks off is begun anew."""
        for left in reversed(range(TRIES)):
            try:
                place = self._opened(digest)
                if place:
                    self._stream(place, digest, size, say)
                return
            except Unreachable:
                if not left:
                    raise
            self.pause(PAUSE)

    def _opened(self, digest: str) -> str:
        """Return where the target takes the blob DIGEST, or an empty text: it took it from a repository of its own."""
        path = "blobs/uploads/"
        if self.source.host == self.target.host:
            path += f"?mount={digest}&from={self.source.name}"
        with registry.answering(self.target, path, self.target_login, method="POST", body=b"") as answer:
            if answer.status == 201:
                return ""
            place = str(answer.headers.get("Location") or "")
        return f"{place}{'&' if '?' in place else '?'}digest={digest}"

    def _stream(self, place: str, digest: str, size: int, say: Callable[[int], object]) -> None:
        with registry.answering(self.source, f"blobs/{digest}", self.source_login, timeout=SILENCE) as answer:
            if answer is None:
                raise Unreachable(f"{self.source.host} no longer has {digest} of {self.source.name}")
            body = io.BufferedReader(Checked(answer, digest, size, say, self.pause), MB)
            headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
            with registry.answering(
                *(self.target, place, self.target_login), method="PUT", body=body, headers=headers, timeout=SILENCE
            ):
                pass

    def _put(self, version: str, raw: bytes, kind: str) -> None:
        """Have the target hold the manifest RAW as VERSION; somebody else may have been faster with the same."""
        headers = {"Content-Type": kind}
        try:
            with registry.answering(
                *(self.target, f"manifests/{version}", self.target_login),
                method="PUT",
                body=raw,
                headers=headers,
                timeout=SILENCE,
            ):
                pass
        except Unreachable:
            if registry.digest(replace(self.target, version=version), self.target_login) != digest_of(raw):
                raise


class Checked(io.RawIOBase):
    """The blob that ANSWER brings, as it comes in. Before its last byte is given away, it is known to be DIGEST.

    What broke off, or is another one, raises Unreachable, so that the target never takes it.
    """

    def __init__(
        self, answer: BinaryIO, digest: str, size: int, say: Callable[[int], object], pause: Callable[[float], object]
    ) -> None:
        self._answer, self._digest, self._size, self._say, self._pause = answer, digest, size, say, pause
        self._hash, self._read = hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._pause(0)
        if self._read == self._size:
            return 0
        try:
            data = self._answer.read(min(len(buffer), self._size - self._read))
        except (OSError, http.client.HTTPException) as problem:
            raise Unreachable(f"{self._digest} broke off: {problem}") from None
        self._hash.update(data)
        self._read += len(data)
        if not data:
            raise Unreachable(f"{self._digest} ended after {self._read} of {self._size} bytes")
        if self._read == self._size and f"sha256:{self._hash.hexdigest()}" != self._digest:
            raise Unreachable(f"what came as {self._digest} is another content")
        buffer[: len(data)] = data
        self._say(self._read)
        return len(data)


def _say(progress: Progress, before: int, total: int, sent: int) -> None:
    progress("copying layers (MB)", (before + sent) // MB, total // MB)


def digest_of(raw: bytes) -> str:
    """Return the digest of the content RAW."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def tag_of(image: Reference, login: str) -> str:
    """Return a tag of IMAGE, which is named by its digest, or an empty text where it has none. Raises Unreachable."""
    for tag in registry.document(image, "tags/list?n=1000", login).get("tags") or ():
        if registry.digest(replace(image, version=str(tag)), login) == image.version:
            return str(tag)
    return ""


def free_tag(image: Reference, wanted: str, login: str) -> tuple[str, bool]:
    """Return the tag that IMAGE, named by its digest, has or gets in its repository, and whether it has it there.

    That is WANTED, unless another image has it: a tag is given once, so that it stays what it is. Raises Unreachable.
    """
    own = image.version.partition(":")[2][:16]
    for tag in filter(None, (wanted, own)):
        found = registry.digest(replace(image, version=tag), login)
        if found in ("", image.version):
            return tag, bool(found)
    raise Unreachable(f"{image.host} has other images under the tags {wanted} and {own}")
