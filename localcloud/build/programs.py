"""The programs that are compiled on this machine."""

from __future__ import annotations

from pathlib import Path

from localcloud.build.go import Program

FOLDER = Path(__file__).parent
KUBERNETES_VERSION = "1.35.4"
BUILDKIT_VERSION = "0.34.2"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet", "kubectl")
VERSION_PACKAGE = "k8s.io/component-base/version"
MAJOR, MINOR, _ = KUBERNETES_VERSION.split(".")

# Kubernetes and etcd in one binary; called by its own name, its first argument says which component it is.
KUBERNETES = Program(
    name="kubernetes",
    title=f"Kubernetes {KUBERNETES_VERSION}",
    source=FOLDER / "kube",
    binaries=("kube",),
    tags=("selinux_disabled", "dockerless", "providerless"),
    stamps={
        f"{VERSION_PACKAGE}.gitVersion": f"v{KUBERNETES_VERSION}",
        f"{VERSION_PACKAGE}.gitMajor": MAJOR,
        f"{VERSION_PACKAGE}.gitMinor": MINOR,
    },
    links=dict.fromkeys(COMPONENTS, "kube"),
)

# BuildKit's daemon and its client.
BUILDKIT = Program(
    name="buildkit",
    title=f"BuildKit {BUILDKIT_VERSION}",
    source=FOLDER / "buildkit",
    binaries=("buildkit",),
    stamps={"github.com/moby/buildkit/version.Version": f"v{BUILDKIT_VERSION}"},
    links=dict.fromkeys(("buildkitd", "buildctl"), "buildkit"),
)

# The first process of every pod.
PAUSE = Program(name="pause", title="pause", source=FOLDER / "pause", binaries=("pause",))
