"""`[environments.NAME.secrets]`: read from AWS Secrets Manager at release time, mounted as files, and nowhere else.

The Secret's name is a hash of names and versions: a new version is a new Secret, so pods restart for it, and a release that is
returned to finds its own. Values go from boto3 to kubectl's standard input.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from longshore.command import Secret
from longshore.commands import kubectl
from longshore.commands.kubectl import Cluster
from longshore.errors import Precondition
from longshore.rollout.api import Api
from longshore.rollout.records import LABEL, Release
from longshore.runner import Runner
from longshore.settings import Environment
from longshore.steps import aws

KIND = "secrets"


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What a release mounts: the name of the Secret and its values by file name; both empty where the settings name none."""

    name: str = ""
    values: tuple[tuple[str, Secret], ...] = ()


def read(environment: Environment) -> Secrets:
    """Fetch the current versions. Raises Precondition where one does not exist or may not be read."""
    if not environment.secrets:
        return Secrets()
    from botocore.exceptions import ClientError

    client = aws.client(environment, "secretsmanager")
    values, versions = [], []
    for name, source in sorted(environment.secrets.items()):
        identifier, _, key = source.partition("#")
        try:
            with aws.errors("Secrets Manager"):
                try:
                    found = client.get_secret_value(SecretId=identifier)
                except ClientError as problem:
                    code = problem.response["Error"]["Code"]
                    if code not in ("ResourceNotFoundException", "AccessDeniedException"):
                        raise
                    raise Precondition(
                        f"the secret {identifier} ({name}) cannot be read: {code}",
                        hint=f"`secrets` of {environment.name} in longshore.toml names it; is it in {environment.region}?",
                    ) from None
            text = found["SecretString"]
            values.append((name, Secret(str(json.loads(text)[key]) if key else text)))
        except (KeyError, ValueError, TypeError):
            raise Precondition(
                f"the secret {identifier} has no text, or no key {key!r}",
                hint="`id#key` picks a key of a JSON object",
            ) from None
        versions.append(f"{name}\0{source}\0{found['ARN']}\0{found['VersionId']}")
    digest = hashlib.sha256("\0".join(versions).encode()).hexdigest()[:10]
    return Secrets(name=f"app-secrets-{digest}", values=tuple(values))


def apply(cluster: Cluster, runner: Runner, secrets: Secrets) -> None:
    """Have the namespace hold SECRETS."""
    if not secrets.name:
        return
    data = {name: base64.b64encode(value.reveal().encode()).decode() for name, value in secrets.values}
    thing = {
        "apiVersion": "v1", "kind": "Secret", "immutable": True, "data": data,
        "metadata": {"name": secrets.name, "namespace": cluster.namespace, "labels": {LABEL: KIND}},
    }  # fmt: skip
    hidden = (*(value for _, value in secrets.values), *(Secret(text) for text in data.values()))
    runner.run(kubectl.apply(cluster, Secret(json.dumps(thing)), secrets=hidden))


def prune(cluster: Cluster, runner: Runner, releases: list[Release], current: str) -> None:
    """Delete the Secrets that neither CURRENT nor the manifest of any of RELEASES mounts."""
    try:
        found = Api(cluster, runner).items(
            f"/api/v1/namespaces/{cluster.namespace}/secrets", f"{LABEL}={KIND}"
        )
    except Precondition:
        return  # the release is good and recorded; the next one prunes
    texts = [current, *(release.manifest for release in releases)]
    names = [str(thing["metadata"]["name"]) for thing in found]
    old = tuple(f"secret/{name}" for name in names if not any(name in text for text in texts))
    if old:
        runner.run(kubectl.delete_objects(cluster, old))
