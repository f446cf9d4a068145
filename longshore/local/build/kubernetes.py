"""Kubernetes and etcd in one binary: API server, controllers, scheduler, kubelet, proxy and kubectl."""

from __future__ import annotations

from pathlib import Path

from longshore.local.build.go import Program
from longshore.settings import Settings

VERSION = "1.35.4"
MAJOR, MINOR, _ = VERSION.split(".")
VERSION_PACKAGE = "k8s.io/component-base/version"
SERVERS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet")

KUBERNETES = Program(
    name="kubernetes",
    title=f"Kubernetes {VERSION}",
    source=Path(__file__).with_name("kube"),
    packages=(".",),
    binaries=("kube",),
    tags=("selinux_disabled", "dockerless", "providerless"),
    stamps={
        f"{VERSION_PACKAGE}.gitVersion": f"v{VERSION}",
        f"{VERSION_PACKAGE}.gitMajor": MAJOR,
        f"{VERSION_PACKAGE}.gitMinor": MINOR,
    },
    links=dict.fromkeys((*SERVERS, "kubectl"), "kube"),  # the binary looks at the name it is called by
)
ready = KUBERNETES.ready
start = KUBERNETES.start


def binary(settings: Settings) -> Path:
    """Return the binary that is every part; called by its own name it takes the part as first argument."""
    return KUBERNETES.path(settings, "kube")


def kubectl(settings: Settings) -> Path:
    """Return the kubectl of the cluster's own version."""
    return KUBERNETES.path(settings, "kubectl")
