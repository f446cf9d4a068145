"""Tokens for EKS's API server, in the form of `aws eks get-token`: a presigned STS GetCallerIdentity.

kubectl runs `main` as its exec credential plugin on every call, so a token that still holds comes from a file, without botocore.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime

    import boto3

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
PRESIGNED_FOR = 60  # seconds; the API server takes the token for 15 minutes whatever this says
HOLDS = 14 * 60  # seconds that a token is used: a minute less than it is valid
KIND = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
IDENTITY = (  # environment variables that decide whose token it is
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "HOME",
)
FILES = ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")


def token(
    cluster_name: str, region: str, endpoint_url: str | None, session: boto3.Session
) -> tuple[str, datetime.datetime]:
    """Return a token for the cluster and the moment (UTC) until which it may be used.

    `endpoint_url` is the STS to sign for where it is not Amazon's own. Raises Precondition where SESSION has no credentials.
    """
    import base64
    import datetime

    from botocore.signers import RequestSigner

    from longshore.errors import Precondition

    credentials = session.get_credentials()
    if credentials is None:
        raise Precondition(
            "there are no AWS credentials",
            hint="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    client = session.client("sts", region_name=region, endpoint_url=endpoint_url)
    signer = RequestSigner(
        client.meta.service_model.service_id, region, "sts", "v4", credentials, session.events
    )
    address = (endpoint_url or f"https://sts.{region}.{_suffix(session, region)}").rstrip("/")
    request = {
        "method": "GET",
        "url": f"{address}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {CLUSTER_HEADER: cluster_name},
        "context": {},
    }
    began = datetime.datetime.now(datetime.UTC)
    url = signer.generate_presigned_url(
        request, region_name=region, expires_in=PRESIGNED_FOR, operation_name=""
    )
    text = PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    return text, began + datetime.timedelta(seconds=HOLDS)


def _suffix(session: boto3.Session, region: str) -> str:
    """Return the domain of REGION's partition: China's is another."""
    return "amazonaws.com.cn" if session.get_partition_for_region(region) == "aws-cn" else "amazonaws.com"


def main(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> int:
    """Print an ExecCredential for kubectl. Exit codes: 0 printed, 2 bad arguments, 3 no credentials or no AWS.

    ENVIRON defaults to the process's own, read here: importing the settings would take longer than all of the rest.
    """
    environ = os.environ if environ is None else environ
    options = _options(argv)
    if options is None:
        print(
            "longshore eks-token needs --cluster-name NAME --region REGION and takes --endpoint-url URL, --cache DIR",
            file=sys.stderr,
        )
        return 2
    text = kept(argv, environ)
    if text is None:
        cached = _cache_file(options, environ)
        try:
            text, expiry = _fresh(options)
        except Exception as problem:  # noqa: BLE001 (botocore has dozens; kubectl shows stderr as it is)
            print(f"no EKS token for {options['cluster-name']}: {problem}", file=sys.stderr)
            hint = (
                getattr(problem, "hint", "")
                or "`aws sts get-caller-identity` shows whether the credentials work"
            )
            print(f"hint: {hint}", file=sys.stderr)
            return 3
        _write(cached, text, expiry)
    print(text)
    return 0


def kept(argv: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the credential that an earlier call with the same arguments and environment has kept, if it still holds."""
    options = _options(argv)
    return _read(_cache_file(options, environ)) if options else None


def _options(argv: Sequence[str]) -> dict[str, str] | None:
    """Read --NAME VALUE and --NAME=VALUE; argparse alone would take a quarter of the time of a call."""
    known = {"cluster-name", "region", "endpoint-url", "cache"}
    options: dict[str, str] = {}
    left = list(argv)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if not name.startswith("--") or name[2:] not in known or (not equals and not left):
            return None
        options[name[2:]] = value if equals else left.pop(0)
    return options if {"cluster-name", "region"} <= set(options) else None


def _fresh(options: Mapping[str, str]) -> tuple[str, float]:
    import boto3

    session = boto3.Session()
    endpoint = options.get("endpoint-url") or None
    text, expiry = token(options["cluster-name"], options["region"], endpoint, session)
    status = {"expirationTimestamp": expiry.strftime("%Y-%m-%dT%H:%M:%SZ"), "token": text}
    return json.dumps({**KIND, "spec": {}, "status": status}), expiry.timestamp()


def _cache_file(options: Mapping[str, str], environ: Mapping[str, str]) -> Path | None:
    """Return where the token for this cluster and these credentials is kept; None without --cache."""
    import hashlib

    if not options.get("cache"):
        return None
    home = Path(environ.get("HOME", "/"))
    files = [
        environ.get(name) or str(home / ".aws" / default)
        for name, default in zip(FILES, ("credentials", "config"), strict=True)
    ]
    identity = [options.get(name, "") for name in ("cluster-name", "region", "endpoint-url")]
    identity += [environ.get(name, "") for name in IDENTITY]
    identity += [_stamp(Path(file)) for file in files]
    return Path(options["cache"]) / (hashlib.sha256("\0".join(identity).encode()).hexdigest()[:32] + ".json")


def _stamp(path: Path) -> str:
    """Return what changes when a credentials file does."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino}:{found.st_mtime_ns}:{found.st_size}"


def _read(path: Path | None) -> str | None:
    """Return the kept credential if it still holds."""
    try:
        kept: dict[str, Any] = json.loads(path.read_bytes()) if path else {}
        text = kept["credential"]
        return text if isinstance(text, str) and time.time() < float(kept["until"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path | None, text: str, until: float) -> None:
    """Keep the credential for the user alone. A cache that can't be written is only slower."""
    if path is None:
        return
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({"credential": text, "until": until}, file)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
