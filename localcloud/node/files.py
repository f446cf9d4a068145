"""The configuration files of the node's components, as text."""

from __future__ import annotations

import json
from pathlib import Path

from localcloud import registry_login, secret
from localcloud.layout import Layout
from longshore.kubernetes import kubeconfig
from longshore.kubernetes.kubeconfig import Endpoint

RUN = "/run/longshore-node"  # inside the node, whose /run is its own and empty at each start
CONTAINERD = f"{RUN}/containerd.sock"
BRIDGE = "pods0"
CNI_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")  # Debian's folder; upstream's

# Records what people and programs ask and change; the components' own requests would drown it out.
AUDIT = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy",
    "longshore-policies"]
- {level: None, userGroups: ["system:nodes", "system:serviceaccounts:kube-system", "system:unauthenticated"]}
- {level: Metadata}
"""


def containerd(layout: Layout, plugins: str) -> str:
    """Return containerd's configuration. Its state is in the node's own /run: a crash is like a reboot to it."""
    return f"""version = 2
root = "{layout.state}/containerd{layout.suffix}"
state = "{RUN}/containerd"
oom_score = 0
# Snapshotters that are not used cost time at the start; the opt plugin would make a folder on the machine.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{layout.registry}/pause:1"
  restrict_oom_score_adj = true  # negative scores are refused without CAP_SYS_RESOURCE
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{layout.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."{layout.registry}"]
    endpoint = ["http://{layout.registry}"]
  [plugins."io.containerd.grpc.v1.cri".registry.configs."{layout.registry}".auth]
    auth = "{registry_login.token(layout)}"
"""


def cni(layout: Layout) -> str:
    """Return the configuration of the pods' network: a bridge in the node; addresses are leased until it stops.

    With several nodes, only what leaves all of them gets the node's address: `network` sees to that.
    """
    ranges, routes = [[{"subnet": str(layout.own_pods)}]], [{"dst": "0.0.0.0/0"}]
    lease = {"type": "host-local", "ranges": ranges, "routes": routes, "dataDir": f"{RUN}/cni"}
    on = {"isGateway": True, "ipMasq": not layout.second, "hairpinMode": True}
    bridge = {"type": "bridge", "bridge": BRIDGE, **on, "ipam": lease}
    return json.dumps({"cniVersion": "0.4.0", "name": "longshore", "plugins": [bridge]}, indent=2) + "\n"


def registry_socket(layout: Layout) -> Path:
    """Return where the registry listens."""
    return layout.run / "ecr" / "registry.sock"


def registry(layout: Layout) -> str:
    """Return the registry's configuration."""
    return f"""version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {layout.state}/registry}}, delete: {{enabled: true}}}}
http: {{net: unix, addr: "{registry_socket(layout)}"}}
auth: {{htpasswd: {{realm: {layout.cluster_name}, path: {registry_login.hashed(layout)}}}}}
"""


def kubelet(layout: Layout) -> str:
    """Return the kubelet's configuration."""
    x509 = {"clientCAFile": str(layout.ca)}
    # A full disk must not stop what serves: no pod is evicted for it, no image is deleted.
    full = dict.fromkeys(("nodefs.available", "imagefs.available", "nodefs.inodesFree"), "0%")
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "enforceNodeAllocatable": [],
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        # Tolerates that a root user with fewer capabilities cannot change some kernel settings.
        "featureGates": {"KubeletInUserNamespace": True},
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": x509},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / f"kubelet{layout.suffix}.crt"),
        "tlsPrivateKeyFile": str(layout.pki / f"kubelet{layout.suffix}.key"),
        "clusterDNS": [str(layout.services[10])],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{layout.config}/resolv.conf",
        "podLogsDir": f"{layout.state}/pod-logs{layout.suffix}",
        "volumePluginDir": f"{RUN}/volume-plugins",
        "containerLogMaxSize": "5Mi",
        "serializeImagePulls": False,
        "evictionHard": {"memory.available": "100Mi", **full},
        "imageGCHighThresholdPercent": 100,
    }
    return json.dumps(settings, indent=2) + "\n"


def webhook(layout: Layout) -> str:
    """Return how the API server asks the local AWS who a token belongs to."""
    login = f"{secret.USER}:{secret.ensure(layout.aws_secret)}"
    url = f"http://{login}@{layout.host_ip}:{layout.aws_port}/_local/authenticate"
    return kubeconfig.text(Endpoint(name="aws", server=url), context="aws", user="apiserver", credential={})


def knows_secret(layout: Layout) -> bool:
    """Whether the API server was started with the local AWS's secret; that of an older version was not."""
    try:
        return layout.aws_secret.read_text() in (layout.state / "node" / "webhook.yaml").read_text()
    except OSError:
        return False


def bootstrap(layout: Layout) -> str:
    """Return the manifest of a DNS service that refuses at once.

    There is no DNS server. The node refuses connections to a service without endpoints at once, whereas with an address
    that nobody has, every look-up would wait for its timeout.
    """
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    specification = {"clusterIP": str(layout.services[10]), "ports": ports}
    dns = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": specification}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [dns]})


def all_files(layout: Layout, plugins: str) -> dict[str, str]:
    """Return the content of each file in the node's configuration folder by its name."""
    own = {
        "containerd.toml": containerd(layout, plugins),
        "cni/10-pods.conflist": cni(layout),
        "kubelet.json": kubelet(layout),
    }
    plane = {"webhook.yaml": webhook(layout), "audit.yaml": AUDIT} if layout.number == 1 else {}
    return {**own, **plane, "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"}
