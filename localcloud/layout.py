"""The layout of one local environment: folders, names, addresses, ports. Almost every other module here takes it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from msgspec import Struct

from localcloud.build.programs import KUBERNETES
from localcloud.daemon import Daemon
from longshore.errors import Precondition
from longshore.files import from_json, locked, write_atomically, write_if_changed
from longshore.settings.model import Environment, Settings

# Links are taken from the benchmarking range (RFC 2544), which no real network should route. Traffic of pods and
# services never leaves the node, so every environment may use the same ranges.
LINKS = IPv4Network("198.19.0.0/16")
LINK = 30  # the prefix length of one
CLUSTER_RANGES = tuple(IPv4Network(f"10.{second}.0.0/16") for second in (*range(88, 128), *range(200, 256)))
ROUTES = Path("/proc/net/route")
RECORD = "place.json"  # in the state folder: the chosen networks; the name is that of existing environments
ABOUT = "about.json"  # in both folders: whose environment it is, for `known`


class Existing(Struct, frozen=True):
    """A cluster that Longshore did not create: context, kubeconfig, and where its registry and NodePorts answer."""

    context: str
    kubeconfig: Path
    registry: str
    node_address: str
    docker_config: Path


class Layout(Struct, frozen=True, kw_only=True):
    """One local environment on this machine. `state` survives a stop, `run` does not."""

    id: str
    project: str
    environment: str
    region: str
    state: Path
    run: Path
    cache: Path
    kube: Path  # the binary that is every Kubernetes component and etcd
    aws_port: int
    link: IPv4Network  # /30 between this machine and the node
    pods: IPv4Network
    services: IPv4Network
    existing: Existing | None = None
    checkout: str = ""  # the folder of the project; empty where it is not known

    @classmethod
    def of(cls, settings: Settings, environment: Environment) -> Layout:
        """Return the layout of ENVIRONMENT, with new addresses at the first call. Raises as `LocalCloud.of` does."""
        local = environment.local
        if local is None:
            raise Precondition(f"{environment.name} is not a local environment", hint="use `-e local`")
        link, pods, services = _addresses(local.state / RECORD, local.id)
        config = Path(local.kubeconfig or "~/.kube/config").expanduser()
        existing = Existing(local.context, config, local.registry, local.node_address, settings.host.docker_config)
        layout = cls(
            id=local.id,
            project=settings.project.name,
            environment=environment.name,
            region=environment.region,
            state=local.state,
            run=local.run,
            cache=settings.cache,
            kube=KUBERNETES.path(settings, "kube"),
            aws_port=local.aws_port,
            link=link,
            pods=pods,
            services=services,
            existing=existing if local.context else None,
            checkout=str(local.checkout),
        )
        layout.describe(layout.state)
        return layout

    def describe(self, folder: Path) -> None:
        """Write down in FOLDER whose environment this is: its checkout may be gone when somebody asks."""
        about = {name: str(getattr(self, name)) for name in ("id", "project", "environment", "checkout", "state")}
        text = json.dumps({**about, "region": self.region, "aws_port": self.aws_port}, indent=1) + "\n"
        write_if_changed(folder / ABOUT, text)

    def daemon(self, name: str) -> Daemon:
        """Return the part NAME (aws, buildkit, ecr, edge, node, registry) as a background process."""
        return Daemon(id=self.id, name=name, run=self.run, log=self.logs / f"{name}.log")

    # Names on this machine

    @property
    def interface(self) -> str:
        """The host's end of the link. The kernel allows 15 characters, so the id is hashed."""
        return f"ls-{hashlib.sha256(self.id.encode()).hexdigest()[:8]}"

    @property
    def cgroup(self) -> str:
        """The cgroup, below the root of every hierarchy, that holds all pods."""
        return f"longshore-{self.id}"

    @property
    def cluster_name(self) -> str:
        """The name of the EKS cluster, the load balancer and whatever else Terraform creates once per environment."""
        return f"{self.project}-{self.environment}"

    # Addresses

    @property
    def host_ip(self) -> str:
        """This machine's address as the node sees it."""
        return "127.0.0.1" if self.existing else str(self.link[1])

    @property
    def node_ip(self) -> str:
        """The node's address as this machine sees it: API server, registry and NodePorts answer there."""
        return self.existing.node_address if self.existing else str(self.link[2])

    @property
    def registry(self) -> str:
        """HOST:PORT of the registry, over plain HTTP."""
        return self.existing.registry if self.existing else f"{self.node_ip}:5001"

    @property
    def docker_config(self) -> Path:
        """The folder that holds the registry's login; with an existing cluster, the user's own."""
        return self.existing.docker_config if self.existing else self.state / "docker"

    @property
    def endpoint(self) -> str:
        """The API server of the built-in cluster."""
        return f"https://{self.node_ip}:6443"

    @property
    def aws_endpoint(self) -> str:
        """The local AWS as programs on this machine reach it."""
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def issuer(self) -> str:
        """The issuer of service account tokens, in EKS' form. It never changes, since IAM refers to it."""
        digest = hashlib.sha256(self.id.encode()).hexdigest()[:32].upper()
        return f"https://oidc.eks.{self.region}.amazonaws.com/id/{digest}"

    # Files

    @property
    def pki(self) -> Path:
        """Certificates, keys and kubeconfigs."""
        return self.state / "pki"

    @property
    def logs(self) -> Path:
        """One log per part and component."""
        return self.state / "logs"

    @property
    def access_log(self) -> Path:
        """The edge's access log. The local AWS computes the load balancer's metrics from it, and truncates it."""
        return self.logs / "edge-access.log"

    @property
    def ca(self) -> Path:
        """The certificate authority of the built-in cluster."""
        return self.pki / "ca.crt"

    @property
    def edge_ca(self) -> Path:
        """The certificate authority of the edge, for `curl --cacert`."""
        return self.pki / "edge-ca.crt"

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig: the built-in cluster's, or the file with the existing context."""
        return self.existing.kubeconfig if self.existing else self.pki / "admin.conf"

    @property
    def kubectl(self) -> Path:
        """The kubectl that was compiled; with an existing cluster, the one on the PATH if none was."""
        built = self.kube.with_name("kubectl")
        return Path("kubectl") if self.existing and not built.exists() else built

    @property
    def cluster_file(self) -> Path:
        """What the local AWS says of the cluster: endpoint, CA, issuer."""
        return self.state / "aws" / "cluster.json"

    @property
    def aws_secret(self) -> Path:
        """What opens the local AWS's own routes."""
        return self.cluster_file.with_name("secret")

    @property
    def net(self) -> Path:
        """The mount that keeps the node's network namespace alive."""
        return self.run / "net"

    @property
    def buildkit_socket(self) -> Path:
        """Where buildkitd listens."""
        return self.run / "buildkit.sock"


def _addresses(file: Path, name: str) -> tuple[IPv4Network, IPv4Network, IPv4Network]:
    try:
        record = from_json(file.read_bytes(), dict[str, str])
        link, pods, services = (IPv4Network(record[key]) for key in ("link", "pods", "services"))
        if not (link.subnet_of(LINKS) and link.prefixlen == LINK and {pods, services} <= set(CLUSTER_RANGES)):
            raise ValueError("not of the ranges that are chosen from")
        return link, pods, services
    except FileNotFoundError:
        pass
    except (ValueError, KeyError):
        raise Precondition(f"{file} is damaged", hint="delete that file, then run `invoke local.reset`") from None
    with locked(file.parent.parent / "places.lock", time.sleep):  # two that choose at once would not see each other
        if file.exists():
            return _addresses(file, name)
        link, pods, services = choose(name, [*routes(ROUTES.read_text()), *_links_of_others(file)])
        write_atomically(file, json.dumps({"link": str(link), "pods": str(pods), "services": str(services)}) + "\n")
    return link, pods, services


def choose(name: str, taken: Iterable[IPv4Network]) -> tuple[IPv4Network, IPv4Network, IPv4Network]:
    """Return link, pod and service networks that overlap none of TAKEN. NAME decides which are tried first."""
    busy = list(taken)

    def free(candidates: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
        return (network for network in candidates if not any(network.overlaps(other) for other in busy))

    count = 1 << (LINK - LINKS.prefixlen)
    first = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    base = int(LINKS.network_address)
    links = (IPv4Network((base + 4 * ((first + step) % count), LINK)) for step in range(count))
    link, ranges = next(free(links), None), free(CLUSTER_RANGES)
    pods, services = next(ranges, None), next(ranges, None)
    if not (link and pods and services):
        raise Precondition("this machine already routes every private network that the local cluster could use")
    return link, pods, services


def routes(table: str) -> Iterator[IPv4Network]:
    """Yield the networks in TABLE, the text of /proc/net/route, without default routes.

    The choice is made before any package is installed, so `ip route` may be missing.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[index]), "little") for index in (1, 7))
        if mask:
            yield IPv4Network((address, mask.bit_count()))


def _links_of_others(file: Path) -> Iterator[IPv4Network]:
    """Yield the links of other environments, stopped ones too, since their certificates name them."""
    for other in file.parent.parent.glob(f"*/{RECORD}"):
        try:
            yield IPv4Network(from_json(other.read_bytes(), dict[str, str])["link"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
