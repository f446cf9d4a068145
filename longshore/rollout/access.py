"""How a cluster is reached: a kubeconfig of our own, made from what Terraform says, never the user's current context."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.command import Secret
from longshore.commands.kubectl import Cluster
from longshore.errors import StateUnknown
from longshore.settings import Environment, Settings
from longshore.steps.memory import write_atomically

PACKAGE = Path(__file__).parent.parent.parent


def cluster(
    settings: Settings, environment: Environment, outputs: Mapping[str, Any], program: str
) -> Cluster:
    """Return how kubectl (PROGRAM) reaches the environment's cluster; writes the kubeconfig when it is not there yet."""
    local = environment.local
    if local and local.context:
        path = Path(local.kubeconfig).expanduser() if local.kubeconfig else Path.home() / ".kube" / "config"
        return Cluster(
            kubectl=program, kubeconfig=path, context=local.context, namespace=environment.namespace
        )
    folder = settings.work / "environments" / environment.name
    path = folder / "kubeconfig"
    text = json.dumps(kubeconfig(environment, outputs, cache=folder), indent=1)
    if not path.exists() or path.read_text() != text:
        write_atomically(path, text, 0o600)
    return Cluster(
        kubectl=program, kubeconfig=path, context=environment.name, namespace=environment.namespace
    )


def kubeconfig(environment: Environment, outputs: Mapping[str, Any], cache: Path) -> dict[str, Any]:
    """Return a kubeconfig whose credential is an EKS token, made when kubectl asks for one; JSON is YAML."""
    try:
        name, endpoint = outputs["cluster_name"], outputs["cluster_endpoint"]
        authority = outputs["cluster_certificate_authority_data"]
    except KeyError as missing:
        raise StateUnknown(
            f"Terraform's outputs lack {missing}", hint="`invoke infra.output` shows them"
        ) from None
    options = ["--cluster-name", name, "--region", environment.region, "--cache", str(cache)]
    if environment.endpoint_url:
        options += ["--endpoint-url", environment.endpoint_url]
    plain = {key: value for key, value in environment.aws_env.items() if not isinstance(value, Secret)}
    env = [{"name": key, "value": value} for key, value in {**plain, "PYTHONPATH": str(PACKAGE)}.items()]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}
        ],
        "contexts": [{"name": environment.name, "context": {"cluster": name, "user": "eks"}}],
        "users": [
            {
                "name": "eks",
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1",
                        "command": sys.executable,
                        "args": ["-m", "longshore.eks_token", *options],
                        "env": env,
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
    }
