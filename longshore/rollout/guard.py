"""Checks before anything is written: account, cluster and revision must be those that the settings mean."""

from __future__ import annotations

import hashlib
import re
import ssl

from longshore import aws
from longshore.commands import git
from longshore.errors import BadInput, Precondition
from longshore.kubernetes.api import Api
from longshore.process.runner import Runner
from longshore.rollout.records import Release, last_good
from longshore.settings.model import Environment

PEM = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
OLDER = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # a UID
UNKNOWN = "of a CA that the kubeconfig does not name"


def cluster(environment: Environment, api: Api, name: str) -> None:
    """Raise Precondition unless account and cluster are those of the settings. NAME is in EKS; empty if not there.

    Raises BadInput where the settings name the cluster in the form of earlier versions.
    """
    if name:
        aws.guard_account(environment)
        with aws.errors(f"the EKS cluster {name}"):
            description = aws.client(environment, "eks").describe_cluster(name=name)["cluster"]
        if description["endpoint"] != api.address:
            raise Precondition(
                f"the kubeconfig leads to {api.address}, but EKS says that {name} is at {description['endpoint']}",
                hint="nothing was changed; `invoke infra.output` shows what Terraform last saw",
            )
    wanted = environment.cluster.replace(":", "").lower()
    if not wanted:
        return
    found, name = fingerprints(api), environment.name
    if OLDER.fullmatch(wanted):
        known = f': `cluster = "{found[0]}"`, if this is the right one' if found else ""
        raise BadInput(
            f"`cluster` of {name} is the UID of a namespace, which a deployer may not read",
            hint=f"it holds the fingerprint of the cluster's CA now{known}",
        )
    if wanted not in found:
        raise Precondition(
            f"this is the cluster {', '.join(found) or UNKNOWN}, but {name} is {environment.cluster}",
            hint="nothing was changed; `cluster` in longshore.toml is the SHA-256 fingerprint of the cluster's CA",
        )


def fingerprints(api: Api) -> list[str]:
    """Return what tells the cluster from any other: the SHA-256 fingerprints (hex) of its CA certificates.

    Nobody else's API server passes as one that they signed. There are two while a CA is being replaced, and none where
    the kubeconfig names no CA.
    """
    return [hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() for pem in PEM.findall(api.authority)]


def revision(
    environment: Environment, runner: Runner, commit: str, releases: list[Release], *, allow_older: bool = False
) -> None:
    """Raise Precondition where a protected environment would get an older commit than what runs.

    COMMIT is a full hash. ALLOW_OLDER permits one that does not contain that of the last good one of RELEASES.
    """
    if not environment.protected:
        return
    good = last_good(releases)
    if good is None or allow_older or commit.startswith(good.revision):
        return
    contains = runner.run(git.is_ancestor(good.revision, commit), check=False).exit_code
    if contains != 0:
        behind = git.is_ancestor(commit, good.revision)
        older = contains == 1 and runner.run(behind, check=False).exit_code == 0
        why = "is older" if older else "does not contain what runs"
        raise Precondition(
            f"{commit[:12]} {why}: release {good.number} serves {good.revision}",
            hint="`--allow-older` releases it anyway; in a shallow clone, fetch more history first",
        )
