"""Tokens for EKS's API server, in the form of `aws eks get-token`: a presigned STS GetCallerIdentity.

kubectl runs `main` as its exec credential plugin on every call, so a token that is still valid comes from a file,
without botocore.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longshore.errors import Precondition

if TYPE_CHECKING:
    import boto3

PLUGIN = ("-m", "longshore.kubernetes.eks_token")  # the arguments that make Python this credential plugin
PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
PRESIGNED_FOR = 60  # seconds; the API server accepts the token for 15 minutes whatever this says
LIFETIME = 14 * 60  # seconds that a token is used: a minute less than it is valid
KIND = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
FILES = {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_CONFIG_FILE": "config"}  # by default in ~/.aws
USAGE = "usage: longshore eks-token --cluster-name NAME --region REGION [--endpoint-url URL] [--cache DIR]"


def token(cluster: str, region: str, endpoint: str | None, session: boto3.Session) -> tuple[str, datetime.datetime]:
    """Return a token, and until when (UTC) it may be used. Raises Precondition if SESSION has no credentials."""
    from botocore.signers import RequestSigner

    credentials = session.get_credentials()
    if credentials is None:
        hint = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise Precondition("there are no AWS credentials", hint=hint)
    client = session.client("sts", region_name=region, endpoint_url=endpoint)
    signer = RequestSigner(client.meta.service_model.service_id, region, "sts", "v4", credentials, session.events)
    domain = "amazonaws.com.cn" if session.get_partition_for_region(region) == "aws-cn" else "amazonaws.com"
    address = (endpoint or f"https://sts.{region}.{domain}").rstrip("/")
    url, headers = f"{address}/?Action=GetCallerIdentity&Version=2011-06-15", {CLUSTER_HEADER: cluster}
    request = {"method": "GET", "url": url, "body": {}, "headers": headers, "context": {}}
    began = datetime.datetime.now(datetime.UTC)
    url = signer.generate_presigned_url(request, region_name=region, expires_in=PRESIGNED_FOR, operation_name="")
    text = PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    return text, began + datetime.timedelta(seconds=LIFETIME)


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Print an ExecCredential for kubectl. Exit codes: 0 printed, 2 bad arguments, 3 no credentials or no AWS.

    ENVIRON defaults to the process's own, read here: importing the settings would take longer than all the rest.
    """
    environ = os.environ if environ is None else environ
    options = _options(argv)
    if options is None:
        print(USAGE, file=sys.stderr)
        return 2
    if (text := cached(argv, environ)) is None:
        try:
            text, expiry = _fresh(options)
        except Exception as problem:  # noqa: BLE001 (botocore has dozens; kubectl shows stderr as it is)
            print(f"no EKS token for {options['cluster-name']}: {problem}", file=sys.stderr)
            hint = getattr(problem, "hint", "") or "`aws sts get-caller-identity` shows whether the credentials work"
            print(f"hint: {hint}", file=sys.stderr)
            return 3
        _write(_cache_file(options, environ), text, expiry)
    print(text)
    return 0


def cached(argv: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the ExecCredential that a call with the same arguments and environment cached, if it is still valid."""
    options = _options(argv)
    return _read(_cache_file(options, environ)) if options else None


def _options(argv: Sequence[str]) -> dict[str, str] | None:
    """Return the options by name, None where ARGV is wrong; argparse alone would take a quarter of a call's time."""
    known = {"cluster-name", "region", "endpoint-url", "cache"}
    options, words = dict[str, str](), list(argv)
    while words:
        name, equals, value = words.pop(0).partition("=")
        if not name.startswith("--") or name[2:] not in known or (not equals and not words):
            return None
        options[name[2:]] = value if equals else words.pop(0)
    return options if {"cluster-name", "region"} <= set(options) else None


def _fresh(options: Mapping[str, str]) -> tuple[str, float]:
    import boto3

    session = boto3.Session()
    endpoint = options.get("endpoint-url") or None
    text, expiry = token(options["cluster-name"], options["region"], endpoint, session)
    status = {"expirationTimestamp": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"), "token": text}
    return json.dumps({**KIND, "spec": {}, "status": status}), expiry.timestamp()


def _cache_file(options: Mapping[str, str], environ: Mapping[str, str]) -> Path | None:
    """Return the cache file of the token for this cluster and these credentials; None without --cache."""
    if not options.get("cache"):
        return None
    home = environ.get("HOME", "/")
    identity: list[object] = [options.get(name, "") for name in ("cluster-name", "region", "endpoint-url")]
    identity += [home, sorted(entry for entry in environ.items() if entry[0].startswith("AWS_"))]
    for variable, name in FILES.items():
        with contextlib.suppress(OSError):
            status = os.stat(environ.get(variable) or f"{home}/.aws/{name}")
            identity.append((name, status.st_ino, status.st_mtime_ns, status.st_size))
    return Path(options["cache"]) / (hashlib.sha256(repr(identity).encode()).hexdigest()[:32] + ".json")


def _read(path: Path | None) -> str | None:
    """Return the cached credential if it is still valid."""
    try:
        entry: dict[str, Any] = json.loads(path.read_bytes()) if path else {}
        text = entry["credential"]
        return text if isinstance(text, str) and time.time() < float(entry["until"]) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _write(path: Path | None, text: str, until: float) -> None:
    """Cache the credential, readable by its owner only. Without a cache all is only slower: errors are ignored."""
    if path is None:
        return
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"credential": text, "until": until}, file)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
