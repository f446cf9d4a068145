"""The certificates and kubeconfigs of one environment."""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from localcloud.layout import Layout
from longshore.files import write_if_changed
from longshore.kubernetes import kubeconfig
from longshore.kubernetes.kubeconfig import Endpoint

if TYPE_CHECKING:
    from localcloud.certificates import Authority

FRESH = 335 * 24 * 3600.0  # seconds; they last a year, and are renewed a month before its end
FRONT_PROXY = "front-proxy"  # as what the API server asks the APIs that it passes calls on to, such as metrics.k8s.io


class Leaf(NamedTuple):
    """A certificate of the cluster: its file name, common name, organization (group), and the names it serves."""

    file: str
    name: str
    organization: str = ""
    serves: tuple[str, ...] = ()


def ready(layout: Layout) -> bool:
    """Whether the cluster's certificates exist; `ensure` looks at their age."""
    return layout.ca.exists() and layout.kubeconfig.exists()


def ensure(layout: Layout) -> None:
    """Create or renew what the cluster lacks: authority, certificates, service account key, kubeconfigs."""
    authority = _authority(layout, "ca", "kubernetes")
    for leaf in leaves(layout):
        authority.issue(*leaf)
    authority.key_pair("sa")
    _authority(layout, "front-proxy-ca", FRONT_PROXY).issue(FRONT_PROXY, FRONT_PROXY)
    authority_data = base64.b64encode(layout.ca.read_bytes()).decode()
    endpoint = Endpoint(name=layout.cluster_name, server=layout.endpoint, authority=authority_data)
    for user in (
        "admin",
        "controller-manager",
        "scheduler",
        "proxy",
        *(f"kubelet{node.suffix}" for node in layout.nodes),
    ):
        certificate, key = ((layout.pki / f"{user}.{kind}").read_bytes() for kind in ("crt", "key"))
        credential = kubeconfig.certificate(certificate, key)
        config = kubeconfig.text(endpoint, context=layout.cluster_name, user=user, credential=credential)
        write_if_changed(layout.pki / f"{user}.conf", config, mode=0o600)


def leaves(layout: Layout) -> tuple[Leaf, ...]:
    """Return every certificate of the cluster; Kubernetes' own RBAC rules name the organizations."""
    services = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    api = ("127.0.0.1", layout.node_ip, str(layout.services[1]), "localhost", *services)
    return (
        Leaf("apiserver", "kube-apiserver", serves=api),
        Leaf("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Leaf("admin", "longshore-admin", "system:masters"),
        Leaf("controller-manager", "system:kube-controller-manager"),
        Leaf("scheduler", "system:kube-scheduler"),
        Leaf("proxy", "system:kube-proxy", "system:node-proxier"),
        Leaf("policies", "longshore-policies", "system:masters"),
        *map(_kubelet, layout.nodes),
    )


def _kubelet(node: Layout) -> Leaf:
    name = node.node_name
    return Leaf(f"kubelet{node.suffix}", f"system:node:{name}", "system:nodes", (name, "127.0.0.1", node.node_ip))


def token_keys(layout: Layout) -> dict[str, object]:
    """Return, as a JWKS, the public keys of those who sign the cluster's service account tokens."""
    return _authority(layout, "ca", "kubernetes").published("sa")


def edge(layout: Layout, names: Sequence[str]) -> bool:
    """Have a certificate for NAMES, signed by the edge's own authority. Return whether it is new."""
    serves = tuple(dict.fromkeys([*names, "localhost", "127.0.0.1"]))
    authority = _authority(layout, "edge-ca", f"Longshore {layout.id}", permitted(names))
    return authority.issue("edge", names[0], serves=serves)


def permitted(names: Sequence[str]) -> tuple[str, ...]:
    """Return what the edge's authority may vouch for: this machine, and the domains of NAMES that are not below it."""
    others = sorted({name.removeprefix("*.") for name in names} - {"localhost", "127.0.0.1"})
    above = ("localhost", *others)
    domains = [name for name in above if not any(name.endswith(f".{other}") for other in above)]
    return (*domains, "127.0.0.0/8")


def edge_is_fresh(layout: Layout) -> bool:
    """Whether the edge's certificates are far from their end. Looks at the files' age, which takes no library."""
    files = (layout.edge_ca, layout.pki / "edge.crt")
    return all(file.exists() and time.time() - file.stat().st_mtime < FRESH for file in files)


def _authority(layout: Layout, name: str, title: str, permitted: Sequence[str] = ()) -> Authority:
    from localcloud.certificates import Authority

    layout.pki.mkdir(parents=True, exist_ok=True)
    layout.pki.chmod(0o700)
    return Authority(layout.pki, name, title, permitted)
