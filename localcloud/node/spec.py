"""What the node's first process has to do, as data: the components and their flags, and the namespaces' preparation."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from localcloud.layout import Layout
from localcloud.node import policies
from localcloud.node.files import CONTAINERD, RUN
from localcloud.packages import SYSTEM_PATH, program

POLICIES = f"{RUN}/policies.sock"  # is there once NetworkPolicies are enforced
# The kubelet sets these for the whole machine unless they have these values; inside the node they seem to.
PINNED = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
SYSCTL = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}  # of the node's network alone
# Folders of the machine that components write to at fixed paths; the node gets empty ones of its own.
COVERED = ("/run", "/var/run", "/var/lib", "/var/log", "/usr/libexec/kubernetes")
ROOT = Path(__file__).parents[2]  # of this package
FIRST, THEN, LAST = 2.0, 3.0, 3.5  # seconds to stop in, and their order: etcd after whatever writes to it

# The flags of each component, filled in after they are split: a path may have blanks.
# * etcd confirms a write after it has reached the disk, so a crash loses nothing. It is the only member and need not
#   wait for a network, so elections may be quick.
# * APIs of others, such as that of metrics, are called in the user's name, which a certificate of its own vouches for.
# * What the CloudWatch add-on's webhook does in EKS, mutating policies do here: beta in 1.35, and off by default.
# * The kubelet answers at the node's address: with a loopback one, logs, exec and port-forward would fail.
# * kube-proxy leaves the machine's limit of tracked connections alone.
FLAGS = {
    "etcd": """
        --data-dir={layout.state}/etcd
        --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379
        --listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380
        --initial-cluster=default=http://127.0.0.1:2380 --heartbeat-interval=20 --election-timeout=200
        --auto-compaction-retention=1h --log-level=warn
    """,
    "kube-apiserver": """
        --etcd-servers=http://127.0.0.1:2379
        --bind-address=0.0.0.0 --secure-port=6443 --advertise-address={layout.node_ip} --endpoint-reconciler-type=none
        --tls-cert-file={layout.pki}/apiserver.crt --tls-private-key-file={layout.pki}/apiserver.key
        --client-ca-file={layout.ca} --kubelet-certificate-authority={layout.ca}
        --kubelet-client-certificate={layout.pki}/apiserver-kubelet.crt
        --kubelet-client-key={layout.pki}/apiserver-kubelet.key --kubelet-preferred-address-types=InternalIP
        --service-account-key-file={layout.pki}/sa.pub --service-account-signing-key-file={layout.pki}/sa.key
        --service-account-issuer={layout.issuer} --service-account-jwks-uri={layout.endpoint}/openid/v1/jwks
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction
        --service-cluster-ip-range={layout.services}
        --feature-gates=MutatingAdmissionPolicy=true --runtime-config=admissionregistration.k8s.io/v1beta1=true
        --authentication-token-webhook-config-file={layout.state}/node/webhook.yaml
        --authentication-token-webhook-version=v1 --authentication-token-webhook-cache-ttl=30s
        --requestheader-client-ca-file={layout.pki}/front-proxy-ca.crt --requestheader-allowed-names=front-proxy
        --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group
        --requestheader-extra-headers-prefix=X-Remote-Extra-
        --proxy-client-cert-file={layout.pki}/front-proxy.crt --proxy-client-key-file={layout.pki}/front-proxy.key
        --audit-policy-file={layout.state}/node/audit.yaml --audit-log-path={layout.logs}/audit.log
        --audit-log-maxsize=20 --audit-log-maxbackup=2
    """,
    "kube-controller-manager": """
        --kubeconfig={layout.pki}/controller-manager.conf --leader-elect=false --use-service-account-credentials
        --service-account-private-key-file={layout.pki}/sa.key --root-ca-file={layout.ca}
        --bind-address=127.0.0.1 --flex-volume-plugin-dir={RUN}/volume-plugins
    """,
    "kube-scheduler": "--kubeconfig={layout.pki}/scheduler.conf --leader-elect=false --bind-address=127.0.0.1",
    "kubelet": """
        --config={layout.config}/kubelet.json --kubeconfig={layout.pki}/kubelet{layout.suffix}.conf
        --root-dir={layout.state}/kubelet{layout.suffix} --hostname-override={layout.node_name}
        --node-ip={layout.node_ip} {labels}
    """,
    "kube-proxy": """
        --kubeconfig={layout.pki}/proxy.conf --hostname-override={layout.node_name} --proxy-mode=iptables
        --cluster-cidr={layout.pods} --conntrack-max-per-core=0 --iptables-min-sync-period=200ms
        --bind-address=0.0.0.0 --metrics-bind-address=127.0.0.1:10249
    """,
}


def spec(layout: Layout) -> dict[str, Any]:
    """Return the content of the SPEC.json that `init.py` reads."""
    return {
        "components": components(layout),
        "env": {"PATH": SYSTEM_PATH, "HOME": str(layout.config)},  # no proxy: the node talks to itself
        "status": str(status_file(layout)),
        "cover": [folder for folder in COVERED if not Path(folder).is_symlink()],
        "keep": [str(path) for path in (layout.state, layout.run, layout.kube.parent, Path(sys.base_prefix), ROOT)],
        "pinned": PINNED,
        "scratch": f"{RUN}/pinned",
        "sysctl": SYSCTL,
        "cgroup": layout.cgroup,
        "folders": [str(layout.state / name) for name in folders(layout)],
    }


def folders(layout: Layout) -> tuple[str, ...]:
    """Return the names of the folders of the state that the node's components have for themselves."""
    own = tuple(f"{name}{layout.suffix}" for name in ("containerd", "kubelet", "pod-logs"))
    return ("etcd", *own) if layout.number == 1 else own


def status_file(layout: Layout) -> Path:
    """Return the file in which the first process records which components are ready."""
    return layout.run / f"node{layout.suffix}.json"


def components(layout: Layout) -> list[dict[str, Any]]:
    """Return each component's argv, log, what it waits for, and the address that shows that it is ready.

    Only the first node has the control plane.
    """
    containerd, first = program("containerd"), layout.number == 1
    api = ["kube-apiserver"] if first else []
    zone = f"topology.kubernetes.io/zone={layout.zone},topology.kubernetes.io/region={layout.region}"
    labels = f"--node-labels={zone}" if layout.second else ""

    def component(name: str, argv: list[str], probe: str, needs: list[str], stop: float) -> dict[str, Any]:
        log = str(layout.logs / f"{name}{layout.suffix}.log")
        return {"name": name, "argv": argv, "probe": probe, "needs": needs, "stop": stop, "log": log}

    def kube(name: str, probe: str, needs: list[str], stop: float = FIRST) -> dict[str, Any]:
        parts = (part.format(layout=layout, labels=labels, RUN=RUN) for part in FLAGS[name].split())
        flags = [part for part in parts if part]
        return component(name, [str(layout.kube), name, *flags], probe, needs, stop)

    plane = [
        kube("etcd", "http://127.0.0.1:2379/health", [], LAST),
        kube("kube-apiserver", "https://127.0.0.1:6443/readyz", ["etcd"], THEN),
        kube("kube-controller-manager", "https://127.0.0.1:10257/healthz", api),
        kube("kube-scheduler", "https://127.0.0.1:10259/healthz", api),
    ]
    return [
        component("containerd", [containerd, "-c", f"{layout.config}/containerd.toml"], f"unix:{CONTAINERD}", [], LAST),
        *(plane if first else ()),
        kube("kubelet", "http://127.0.0.1:10248/healthz", ["containerd", *api]),
        kube("kube-proxy", "http://127.0.0.1:10256/livez", api),
        component("network-policies", _policies(layout), f"unix:{POLICIES}", api, FIRST),
    ]


def _policies(layout: Layout) -> list[str]:
    """Return the argv that enforces NetworkPolicies: the interpreter's own, since a virtualenv's may be covered."""
    settings = policies.Settings(
        host="127.0.0.1" if layout.number == 1 else str(layout.link[2]),
        port=6443,
        authority=str(layout.ca),
        certificate=f"{layout.pki}/policies.crt",
        key=f"{layout.pki}/policies.key",
        ready=POLICIES,
        link=layout.links,
        services=str(layout.services),
    )
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from localcloud.node import policies; policies.main()"
    return [
        str(Path(sys.executable).resolve()),
        "-B",
        "-E",
        "-S",
        "-c",
        start,
        json.dumps(settings._asdict()),
        "network-policies",
    ]
