"""The only writer and the only reader of kubeconfigs. Every call names a context: the current one is never used."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import Struct

from longshore.commands.kubectl import Cluster
from longshore.errors import Precondition
from longshore.files import write_if_changed
from longshore.kubernetes import eks_token
from longshore.process.command import Secret
from longshore.settings.model import Environment

PACKAGE = Path(__file__).parents[2]


class Endpoint(Struct, frozen=True, kw_only=True):
    """An API server: the cluster's name, its URL, and its CA certificate (base64 of PEM; empty without TLS)."""

    name: str
    server: str
    authority: str = ""


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to reach the cluster of a context. Certificates and keys are PEM; what the kubeconfig lacks is empty."""

    server: str  # URL
    server_name: str  # in the server's certificate, where it is not the URL's host
    authority: str  # CA certificates; empty: the system's
    certificate: str
    key: str = field(repr=False)
    token: str = field(repr=False)
    token_file: Path | None  # read anew for each request: its token may be replaced
    plugin: Mapping[str, Any]  # the exec credential plugin: command, args, env


def text(endpoint: Endpoint, *, context: str, user: str, credential: Mapping[str, Any]) -> str:
    """Return a kubeconfig in JSON, which is YAML: one CONTEXT, of USER with CREDENTIAL (keys as kubectl reads them)."""
    authority = {"certificate-authority-data": endpoint.authority} if endpoint.authority else {}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": endpoint.name, "cluster": {"server": endpoint.server, **authority}}],
        "users": [{"name": user, "user": credential}],
        "contexts": [{"name": context, "context": {"cluster": endpoint.name, "user": user}}],
        "current-context": context,
    }
    return json.dumps(document, indent=1) + "\n"


def certificate(certificate: bytes, key: bytes) -> dict[str, str]:
    """Return the credential of a user with a client certificate (both PEM)."""
    pair = {"client-certificate-data": certificate, "client-key-data": key}
    return {name: base64.b64encode(pem).decode() for name, pem in pair.items()}


def eks(environment: Environment, endpoint: Endpoint, folder: Path, kubectl: str) -> Cluster:
    """Write FOLDER/kubeconfig, whose credential is an EKS token made on demand; return the cluster it leads to.

    The token is cached in FOLDER; the AWS credentials come from the cluster's `env`, never from the file.
    """
    options = ["--cluster-name", endpoint.name, "--region", environment.region, "--cache", str(folder)]
    if address := environment.aws_env.get("AWS_ENDPOINT_URL"):  # of all services: whoever verifies a token is there
        options += ["--endpoint-url", str(address)]
    env = {key: value for key, value in environment.aws_env.items() if not isinstance(value, Secret)}
    plugin = {
        "apiVersion": eks_token.KIND["apiVersion"],
        "command": sys.executable,
        "args": [*eks_token.PLUGIN, *options],
        "env": [{"name": key, "value": value} for key, value in {**env, "PYTHONPATH": str(PACKAGE)}.items()],
        "interactiveMode": "Never",
    }
    path = folder / "kubeconfig"
    content = text(endpoint, context=environment.name, user="eks", credential={"exec": plugin})
    write_if_changed(path, content, 0o600)
    return Cluster(
        kubectl=kubectl,
        kubeconfig=path,
        context=environment.name,
        namespace=environment.namespace,
        env=environment.aws_env,
    )


def read(path: Path, context: str) -> Access:
    """Return how to reach the cluster of CONTEXT in the kubeconfig at PATH.

    Raises Precondition where it does not say.
    """
    try:
        config = _parsed(path)
        contexts = {entry["name"]: entry["context"] for entry in config.get("contexts") or ()}
        if context not in contexts:
            names = ", ".join(contexts) or "none"
            raise Precondition(f"{path} has no context called {context!r}", hint=f"its contexts: {names}")
        cluster = _entry(config, "cluster", contexts[context])
        user = _entry(config, "user", contexts[context])
        return Access(
            server=cluster["server"],
            server_name=cluster.get("tls-server-name", ""),
            authority=_pem(cluster, "certificate-authority", path.parent),
            certificate=_pem(user, "client-certificate", path.parent),
            key=_pem(user, "client-key", path.parent),
            token=user.get("token", ""),
            token_file=path.parent / user["tokenFile"] if "tokenFile" in user else None,
            plugin=user.get("exec") or {},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        reason = f"it lacks {problem}" if isinstance(problem, LookupError) else str(problem).partition("\n")[0]
        sentence = f"{path} cannot be read as a kubeconfig with the context {context!r}: {reason}"
        hint = "`kubectl config view` shows a kubeconfig; `[environments.NAME.local]` may name another one"
        raise Precondition(sentence, hint=hint) from None


def _parsed(path: Path) -> dict[str, Any]:
    """Raises OSError, ValueError."""
    content = path.read_text(encoding="utf-8")
    try:
        config = json.loads(content)
    except ValueError:
        import yaml

        try:
            config = yaml.safe_load(content) or {}
        except yaml.YAMLError as problem:
            raise ValueError(f"not YAML ({type(problem).__name__})") from None
    if not isinstance(config, dict):
        raise TypeError("not a mapping")
    return config


def _entry(config: Mapping[str, Any], kind: str, context: Mapping[str, str]) -> dict[str, Any]:
    """Return the entry of KIND (`cluster`, `user`) that CONTEXT names. Raises LookupError where there is none."""
    name = context[kind]
    entries = {entry["name"]: entry[kind] for entry in config.get(f"{kind}s") or ()}
    if name not in entries:
        raise LookupError(f"the {kind} {name!r}")
    return entries[name] or {}


def _pem(entry: Mapping[str, str], key: str, folder: Path) -> str:
    """Return what ENTRY holds under KEY: itself (in base64) or in a file. Raises OSError, ValueError."""
    if data := entry.get(f"{key}-data"):
        return base64.b64decode(data).decode()
    return (folder / entry[key]).read_text(encoding="utf-8") if entry.get(key) else ""
