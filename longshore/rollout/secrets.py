"""`[environments.NAME.secrets]`: read from AWS Secrets Manager at release time and mounted as files, nothing else.

The Secret's name is a hash of names and versions: a new version is a new Secret, so that pods restart for it, and a
rollback finds its own. Values go from boto3 to kubectl's standard input.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable

from msgspec import Struct

from longshore import aws
from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import Precondition
from longshore.kubernetes.api import Api
from longshore.kubernetes.paths import collection
from longshore.process.command import Secret
from longshore.process.runner import Runner
from longshore.rollout.manifest import Manifest
from longshore.rollout.records import LABEL, Release
from longshore.settings.model import Environment

KIND = "secrets"


class Secrets(Struct, frozen=True, kw_only=True):
    """What a release mounts: the Secret's name and its values by file name; both empty where the settings name none.

    `known` are all texts that came with them and must not be shown.
    """

    name: str = ""
    values: tuple[tuple[str, Secret], ...] = ()
    known: tuple[Secret, ...] = ()


def read(environment: Environment) -> Secrets:
    """Return the current values. Raises Precondition where one does not exist or may not be read."""
    if not environment.secrets:
        return Secrets()
    from botocore.exceptions import ClientError

    client = aws.client(environment, "secretsmanager")
    values, versions, known = [], [], []
    for name, source in sorted(environment.secrets.items()):
        identifier, _, key = source.partition("#")
        try:
            with aws.errors("Secrets Manager"):
                try:
                    answer = client.get_secret_value(SecretId=identifier)
                except ClientError as problem:
                    code = problem.response["Error"]["Code"]
                    if code not in ("ResourceNotFoundException", "AccessDeniedException"):
                        raise
                    where = (
                        f"`secrets` of {environment.name} in longshore.toml names it; is it in {environment.region}?"
                    )
                    raise Precondition(f"the secret {identifier} ({name}) cannot be read: {code}", hint=where) from None
            text = answer["SecretString"]
            values.append((name, Secret(str(json.loads(text)[key]) if key else text)))
            known.append(Secret(text))
        except (KeyError, ValueError, TypeError):
            hint = "`id#key` picks a key of a JSON object"
            raise Precondition(f"the secret {identifier} has no text, or no key {key!r}", hint=hint) from None
        versions.append(f"{name}\0{source}\0{answer['ARN']}\0{answer['VersionId']}")
    digest = hashlib.sha256("\0".join(versions).encode()).hexdigest()[:10]
    return Secrets(name=f"app-secrets-{digest}", values=tuple(values), known=tuple(known))


def apply(cluster: Cluster, runner: Runner, secrets: Secrets) -> None:
    """Create the Secret in the namespace, unless it is there."""
    if not secrets.name:
        return
    data = {name: base64.b64encode(value.reveal().encode()).decode() for name, value in secrets.values}
    metadata = {"name": secrets.name, "namespace": cluster.namespace, "labels": {LABEL: KIND}}
    manifest = {"apiVersion": "v1", "kind": "Secret", "immutable": True, "data": data, "metadata": metadata}
    hidden = (*(value for _, value in secrets.values), *(Secret(text) for text in data.values()))
    runner.run(kubectl.apply(cluster, Secret(json.dumps(manifest)), secrets=hidden))


def prune(cluster: Cluster, runner: Runner, manifest: Manifest, earlier: Iterable[Release]) -> None:
    """Delete the Secrets that neither MANIFEST nor a release in EARLIER names."""
    try:
        secrets = Api(cluster, runner).items(collection("Secret", cluster.namespace), f"{LABEL}={KIND}")
        names = {str(secret["metadata"]["name"]) for secret in secrets}
        old = names and names.difference(manifest.strings, *(release.content.strings for release in earlier))
    except Precondition:
        return  # the release is good and recorded; the next one prunes
    if old:
        runner.run(kubectl.delete_objects(cluster, tuple(f"secret/{name}" for name in sorted(old))))
