"""metrics-server, compiled once for each machine, in front of a local cluster: what an autoscaler of pods asks."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud import network
from localcloud.build import toolchain
from tests.e2e.ground import Ground
from tests.integration.conftest import quiet

VERSION, PORT = "v0.9.0", 4443


def program(ground: Ground) -> Path:
    """Return the program."""
    home = ground.settings.cache / "metrics-server" / VERSION
    if not (home / "metrics-server").is_file():
        go = toolchain.start(ground.settings, ground.runner, quiet)
        env = os.environ | {"GOBIN": str(home), "CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
        name = f"sigs.k8s.io/metrics-server/cmd/metrics-server@{VERSION}"
        subprocess.run([go, "install", name], env=env, check=True, capture_output=True, timeout=3000)
    return home / "metrics-server"


@contextlib.contextmanager
def served(ground: Ground, folder: Path) -> Iterator[None]:
    """Run it in the node's network, and have the API server pass calls for metrics.k8s.io on to it."""
    layout, admin = ground.layout, f"{ground.layout.kubeconfig}"
    flags = (f"--kubeconfig={admin}", f"--authentication-kubeconfig={admin}", f"--authorization-kubeconfig={admin}")
    kubelet = (f"--kubelet-certificate-authority={layout.ca}", "--kubelet-preferred-address-types=InternalIP")
    more = (f"--secure-port={PORT}", f"--cert-dir={folder / 'metrics'}", "--metric-resolution=15s")
    argv = network.inside(layout, str(program(ground)), *flags, *kubelet, *more)
    with (folder / "metrics.log").open("w") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            for item in objects(layout.node_ip):
                ground.admin("apply", "--filename=-", stdin=json.dumps(item))
            yield
        finally:
            process.kill()
            process.wait(10)


def objects(address: str) -> tuple[dict[str, Any], ...]:
    """Return what leads the API server to the program at ADDRESS."""
    named = {"name": "metrics-server", "namespace": "kube-system"}
    labels = {"kubernetes.io/service-name": "metrics-server"}
    service = {"name": "metrics-server", "namespace": "kube-system", "port": 443}
    spec = {"group": "metrics.k8s.io", "version": "v1beta1", "service": service, "insecureSkipTLSVerify": True}
    return (
        {"apiVersion": "v1", "kind": "Service", "metadata": named, "spec": {"ports": [{"name": "https", "port": 443}]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**named, "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address]}],
            "ports": [{"name": "https", "port": PORT}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {**spec, "groupPriorityMinimum": 100, "versionPriority": 100},
        },
    )
