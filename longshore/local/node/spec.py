"""What the node's first process has to do, as data: the components with their flags, and how the namespaces are prepared."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from longshore.errors import ToolMissing
from longshore.local.node.files import CONTAINERD, RUN
from longshore.local.packages import SYSTEM_PATH
from longshore.local.pki import NODE
from longshore.local.place import Place

# The kubelet sets these for the whole machine unless they have the value it wants; inside the node they seem to.
PINNED = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
SYSCTL = {
    "net/ipv4/ip_forward": "1",
    "net/bridge/bridge-nf-call-iptables": "1",
}  # of the node's network alone
# Folders of the machine that components write to at fixed paths. The node sees empty ones of its own.
COVERED = ("/run", "/var/run", "/var/lib", "/var/log", "/usr/libexec/kubernetes")
FIRST, THEN, LAST = 2.0, 3.0, 3.5  # seconds to end in, and the order: etcd after all that write to it


def spec(place: Place) -> dict[str, Any]:
    """Return the content of SPEC.json for `init.py`."""
    return {
        "components": components(place),
        "env": {
            "PATH": SYSTEM_PATH,
            "HOME": f"{place.state}/node",
        },  # no proxy settings: the node talks to itself
        "status": str(status_file(place)),
        "cover": [folder for folder in COVERED if not Path(folder).is_symlink()],
        "keep": [str(path) for path in (place.state, place.run, place.kube.parent, Path(sys.base_prefix))],
        "pinned": PINNED,
        "scratch": f"{RUN}/pinned",
        "sysctl": SYSCTL,
        "cgroup": place.cgroup,
        "folders": [str(place.state / name) for name in ("etcd", "containerd", "kubelet", "pod-logs")],
    }


def status_file(place: Place) -> Path:
    """Where the first process writes which component is ready."""
    return place.run / "node.json"


def components(place: Place) -> list[dict[str, Any]]:
    """Return every component: its argv, its log, what it waits for, how to see that it is ready."""
    config, api = place.state / "node", ["kube-apiserver"]
    containerd = shutil.which("containerd", path=SYSTEM_PATH)
    if containerd is None:
        raise ToolMissing("containerd is not installed or not on the PATH")

    def one(name: str, argv: list[str], probe: str, needs: list[str], stop: float) -> dict[str, Any]:
        return {
            "name": name,
            "argv": argv,
            "probe": probe,
            "needs": needs,
            "stop": stop,
            "log": str(place.logs / f"{name}.log"),
        }

    def kube(
        name: str, flags: list[str], probe: str, needs: list[str], stop: float = FIRST
    ) -> dict[str, Any]:
        return one(name, [str(place.kube), name, *flags], probe, needs, stop)

    return [
        one("containerd", [containerd, "-c", f"{config}/containerd.toml"], f"unix:{CONTAINERD}", [], LAST),
        kube("etcd", etcd(place), "http://127.0.0.1:2379/health", [], LAST),
        kube("kube-apiserver", apiserver(place), "https://127.0.0.1:6443/readyz", ["etcd"], THEN),
        kube("kube-controller-manager", controller_manager(place), "https://127.0.0.1:10257/healthz", api),
        kube("kube-scheduler", scheduler(place), "https://127.0.0.1:10259/healthz", api),
        kube("kubelet", kubelet(place), "http://127.0.0.1:10248/healthz", ["containerd", *api]),
        kube("kube-proxy", proxy(place), "http://127.0.0.1:10256/livez", api),
    ]


def etcd(place: Place) -> list[str]:
    """Return etcd's flags. Writes reach the disk before they are answered: a crash loses nothing."""
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return [
        f"--data-dir={place.state}/etcd", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        "--heartbeat-interval=20", "--election-timeout=200",  # it elects itself: no network to be patient with
        "--auto-compaction-retention=1h", "--log-level=warn",
    ]  # fmt: skip


def apiserver(place: Place) -> list[str]:
    """Return the API server's flags."""
    pki, config = place.pki, place.state / "node"
    return [
        "--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0", "--secure-port=6443",
        f"--advertise-address={place.node_ip}", "--endpoint-reconciler-type=none",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key", f"--client-ca-file={place.ca}",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt", f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={place.ca}", "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
        f"--service-account-issuer={place.issuer}", f"--service-account-jwks-uri={place.endpoint}/openid/v1/jwks",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={place.services}",
        f"--authentication-token-webhook-config-file={config}/webhook.yaml", "--authentication-token-webhook-version=v1",
        "--authentication-token-webhook-cache-ttl=30s",
        f"--audit-policy-file={config}/audit.yaml", f"--audit-log-path={place.logs}/audit.log",
        "--audit-log-maxsize=20", "--audit-log-maxbackup=2",
    ]  # fmt: skip


def controller_manager(place: Place) -> list[str]:
    """Return the controller manager's flags."""
    return [
        f"--kubeconfig={place.pki}/controller-manager.conf", "--leader-elect=false", "--use-service-account-credentials",
        f"--service-account-private-key-file={place.pki}/sa.key", f"--root-ca-file={place.ca}", "--bind-address=127.0.0.1",
        f"--flex-volume-plugin-dir={RUN}/volume-plugins",
    ]  # fmt: skip


def scheduler(place: Place) -> list[str]:
    """Return the scheduler's flags."""
    return [f"--kubeconfig={place.pki}/scheduler.conf", "--leader-elect=false", "--bind-address=127.0.0.1"]


def kubelet(place: Place) -> list[str]:
    """Return the kubelet's flags. Its address is a real one: with a loopback address logs, exec and port-forward fail."""
    return [
        f"--config={place.state}/node/kubelet.json", f"--kubeconfig={place.pki}/kubelet.conf",
        f"--root-dir={place.state}/kubelet", f"--hostname-override={NODE}", f"--node-ip={place.node_ip}",
    ]  # fmt: skip


def proxy(place: Place) -> list[str]:
    """Return the flags of kube-proxy. The machine's limit of tracked connections is not ours to change."""
    return [
        f"--kubeconfig={place.pki}/proxy.conf", f"--hostname-override={NODE}", "--proxy-mode=iptables",
        f"--cluster-cidr={place.pods}", "--conntrack-max-per-core=0", "--bind-address=0.0.0.0", "--iptables-min-sync-period=200ms",
        "--metrics-bind-address=127.0.0.1:10249",
    ]  # fmt: skip
