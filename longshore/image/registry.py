"""A registry's own API (the OCI distribution specification), as far as an image needs it: manifests and blobs."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO, Self

from msgspec import Struct

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
HUB, HUB_LOGIN = "registry-1.docker.io", "https://index.docker.io/v1/"  # Docker's own name for its login
TIMEOUT = 5.0  # seconds for each question
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Unreachable(Exception):
    """A registry that does not answer, or not what was asked."""


class Reference(Struct, frozen=True, kw_only=True):
    """An image by the `host` and `name` of its repository and the tag or digest (`version`) in it."""

    host: str
    name: str
    version: str

    @classmethod
    def at(cls, repository: str, version: str) -> Self:
        """Return the image VERSION of REPOSITORY (HOST/NAME)."""
        host, _, name = repository.partition("/")
        return cls(host=host, name=name, version=version)

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the image that a Dockerfile calls TEXT; without a host that is Docker Hub, without a tag `latest`."""
        path, _, digest = text.partition("@")
        host, slash, rest = path.partition("/")
        if not slash or not (set(host) & set(".:") or host == "localhost"):
            host, rest = HUB, path if slash else f"library/{path}"
        name, _, tag = rest.partition(":")
        return cls(host=host, name=name, version=digest or tag or "latest")


def digest(image: Reference, login: str = "") -> str:
    """Return the digest of IMAGE, or an empty text where its registry has none of that tag.

    LOGIN is `user:password` in base64. Raises Unreachable with the cause.
    """
    with answering(image, f"manifests/{image.version}", login, method="HEAD") as answer:
        if answer is None:
            return ""
        found = str(answer.headers.get("Docker-Content-Digest") or "")
    if not found.startswith("sha256:"):
        raise Unreachable(f"{image.host} names no digest")
    return found


def document(image: Reference, path: str, login: str = "") -> dict[str, Any]:
    """Return the JSON document at PATH (`manifests/…`, `blobs/…`) of IMAGE's repository. Raises Unreachable."""
    with answering(image, path, login) as answer:
        if answer is None:
            raise Unreachable(f"{image.host} has no {path} of {image.name}")
        return _decoded(answer)


def _decoded(answer: http.client.HTTPResponse) -> dict[str, Any]:
    try:
        found = json.load(answer)
    except ValueError as problem:
        raise Unreachable(f"an answer that is no JSON: {problem}") from None
    if not isinstance(found, dict):
        raise Unreachable("an answer that is no JSON object")
    return found


@contextlib.contextmanager
def answering(
    image: Reference,
    path: str,
    login: str = "",
    *,
    method: str = "GET",
    body: bytes | BinaryIO | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[Any]:
    """Yield the answer to METHOD at PATH of IMAGE's repository, or where a registry said to; None: no such thing.

    A BODY is sent once, so it is for a registry that takes LOGIN as it is, as ECR does. The registry may be silent for
    TIMEOUT seconds. Raises Unreachable.
    """
    scheme = "http" if _plain(image.host) else "https"
    url = urllib.parse.urljoin(f"{scheme}://{image.host}/v2/{image.name}/", path)
    known = login if urllib.parse.urlsplit(url).netloc == image.host else ""
    opened = partial(_open, url, method=method, body=body, headers=headers, timeout=timeout)
    try:
        try:
            answer = opened(f"Basic {known}" if known else "")
        except urllib.error.HTTPError as refusal:
            if refusal.code != 401 or body is not None:
                raise
            with refusal:
                challenge = refusal.headers.get("WWW-Authenticate") or ""
            answer = opened(_token(challenge, known))
        with answer:
            yield answer
    except urllib.error.HTTPError as refusal:
        with refusal:
            if refusal.code != 404 or method in ("POST", "PUT"):
                raise Unreachable(f"{image.host} answers {refusal.code} {refusal.reason}{_said(refusal)}") from None
        yield None
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise Unreachable(f"{image.host} does not answer: {problem}") from None


def _said(refusal: urllib.error.HTTPError) -> str:
    """Return the registry's own words for a REFUSAL, an empty text where it has none."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
        return f": {json.loads(refusal.read(1 << 16))['errors'][0]['message']}"
    return ""


def _token(challenge: str, login: str) -> str:
    """Return the authorization that a registry's CHALLENGE says where to get; without LOGIN, that of anybody."""
    if not challenge.lower().startswith("bearer "):
        raise Unreachable("the registry does not take this login")
    asked = dict(CHALLENGE.findall(challenge))
    query = urllib.parse.urlencode({key: asked[key] for key in ("service", "scope") if key in asked})
    with _open(f"{asked.get('realm', '')}?{query}", f"Basic {login}" if login else "") as answer:
        granted = _decoded(answer)
    return f"Bearer {granted.get('token') or granted.get('access_token') or ''}"


def _open(
    url: str,
    authorization: str,
    *,
    method: str = "GET",
    body: bytes | BinaryIO | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> http.client.HTTPResponse:
    if not url.startswith(("http://", "https://")):
        raise Unreachable(f"{url} is no address")
    accepted = {"Accept": ", ".join(MANIFESTS), **(headers or {})}
    request = urllib.request.Request(url, body, accepted, method=method)  # noqa: S310
    if authorization:  # ECR sends blobs from S3, which takes no second login: a redirect is followed without it
        request.add_unredirected_header("Authorization", authorization)
    # A registry without TLS is on this machine, where no proxy is of use.
    direct = [urllib.request.ProxyHandler({})] if url.startswith("http:") else []
    opener = urllib.request.build_opener(*direct)
    return opener.open(request, timeout=timeout)  # type: ignore[no-any-return]  # nosec B310


def _plain(host: str) -> bool:
    """Whether HOST speaks HTTP without TLS: only a registry on this machine does, as for Docker itself."""
    name = host.rpartition(":")[0] or host
    try:
        return not ipaddress.ip_address(name.strip("[]")).is_global
    except ValueError:
        return "." not in name
