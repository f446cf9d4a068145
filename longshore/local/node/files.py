"""The configuration files of the node's components, as text."""

from __future__ import annotations

import json

from longshore.local import registry_login
from longshore.local.place import Place

RUN = "/run/longshore-node"  # inside the node, where /run is its own and empty at each start
CONTAINERD = f"{RUN}/containerd.sock"
CNI_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")  # Debian's folder; upstream's

# Who changed what, and what people asked; the components' talk among themselves would bury it.
AUDIT = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"]}
- {level: None, userGroups: ["system:nodes", "system:serviceaccounts:kube-system", "system:unauthenticated"]}
- {level: Metadata}
"""


def containerd(place: Place, plugins: str) -> str:
    """Return containerd's settings. Its state is the node's own /run: after a crash it starts as after a reboot."""
    return f"""version = 2
root = "{place.state}/containerd"
state = "{RUN}/containerd"
oom_score = 0
# Snapshotters that are not used cost time at the start; the opt plugin would make a folder on the machine.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{place.registry}/pause:1"
  restrict_oom_score_adj = true  # negative scores are refused without CAP_SYS_RESOURCE
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{place.state}/node/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."{place.registry}"]
    endpoint = ["http://{place.registry}"]
  [plugins."io.containerd.grpc.v1.cri".registry.configs."{place.registry}".auth]
    auth = "{registry_login.token(place)}"
"""


def cni(place: Place) -> str:
    """Return the pods' network: a bridge in the node, addresses leased until the node ends."""
    lease = {
        "type": "host-local",
        "ranges": [[{"subnet": str(place.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": f"{RUN}/cni",
    }
    bridge = {
        "type": "bridge",
        "bridge": "pods0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": lease,
    }
    return json.dumps({"cniVersion": "0.4.0", "name": "longshore", "plugins": [bridge]}, indent=2) + "\n"


def registry(place: Place) -> str:
    """Return the registry's settings."""
    return f"""version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {place.state}/registry}}, delete: {{enabled: true}}}}
http: {{addr: "{place.registry}"}}
auth: {{htpasswd: {{realm: {place.cluster_name}, path: {registry_login.hashed(place)}}}}}
"""


def kubelet(place: Place) -> str:
    """Return the kubelet's settings."""
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{place.cgroup}",
        "enforceNodeAllocatable": [],
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        # Without the rights of a full root user some settings of the kernel cannot be changed: this tolerates it.
        "featureGates": {"KubeletInUserNamespace": True},
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(place.ca)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(place.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(place.pki / "kubelet.key"),
        "clusterDNS": [str(place.services[10])],
        "clusterDomain": "cluster.local",
        "resolvConf": f"{place.state}/node/resolv.conf",
        "podLogsDir": f"{place.state}/pod-logs",
        "volumePluginDir": f"{RUN}/volume-plugins",
        "containerLogMaxSize": "5Mi",
        "serializeImagePulls": False,
        # A disk that fills up is no reason to end what serves: nothing is evicted for it, no image is collected.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "imagefs.available": "0%",
            "nodefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
    }
    return json.dumps(settings, indent=2) + "\n"


def webhook(place: Place) -> str:
    """Return how the API server asks the local AWS who a token belongs to."""
    url = f"http://{place.host_ip}:{place.aws_port}/_local/authenticate"
    return f"""apiVersion: v1
kind: Config
clusters: [{{name: aws, cluster: {{server: "{url}"}}}}]
users: [{{name: apiserver, user: {{}}}}]
contexts: [{{name: aws, context: {{cluster: aws, user: apiserver}}}}]
current-context: aws
"""


def bootstrap(place: Place) -> str:
    """Return what every cluster of ours holds: a DNS service that answers at once.

    There is no DNS server. A service without endpoints is refused by the node at once, where an address that nobody has would
    let every look-up wait for its timeout.
    """
    ports = [
        {"name": name, "port": 53, "protocol": protocol}
        for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))
    ]
    dns = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": str(place.services[10]), "ports": ports},
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [dns]})


def all_files(place: Place, plugins: str) -> dict[str, str]:
    """Return every file below the node's configuration folder by its name."""
    return {
        "containerd.toml": containerd(place, plugins),
        "cni/10-pods.conflist": cni(place),
        "kubelet.json": kubelet(place),
        "webhook.yaml": webhook(place),
        "audit.yaml": AUDIT,
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    }
