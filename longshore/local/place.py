"""Where one local environment lives: its folders, names, addresses and ports. Every other module here takes a Place."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longshore.errors import Precondition
from longshore.local.files import write

if TYPE_CHECKING:
    from longshore.settings import Environment, Settings

# Links are cut from the benchmarking range (RFC 2544), which no real network should route; pods and services never
# leave the node, so every environment may use the same ones.
LINKS = IPv4Network("198.19.0.0/16")
CLUSTER_RANGES = tuple(IPv4Network(f"10.{second}.0.0/16") for second in (*range(88, 128), *range(200, 256)))
ROUTES = Path("/proc/net/route")


@dataclass(frozen=True, kw_only=True)
class Existing:
    """A cluster that is not ours: its context and file, and where its registry and NodePorts answer."""

    context: str
    kubeconfig: Path
    registry: str
    node_address: str
    docker_config: Path


@dataclass(frozen=True, kw_only=True)
class Place:
    """One local environment on this machine. `state` survives a stop, `run` does not."""

    id: str
    project: str
    environment: str
    namespace: str  # in Kubernetes, of the application
    region: str
    state: Path
    run: Path
    cache: Path
    kube: Path  # the one binary that is every Kubernetes component and etcd
    aws_port: int
    link: IPv4Network  # /30 between this machine and the node
    pods: IPv4Network
    services: IPv4Network
    existing: Existing | None = None

    @classmethod
    def of(cls, settings: Settings, environment: Environment) -> Place:
        """Return the place of ENVIRONMENT; the first call chooses its addresses, later ones find the same.

        Raises Precondition when the environment has no local part, or no free network is left.
        """
        from longshore.local.build.kubernetes import binary

        local = environment.local
        if local is None:
            raise Precondition(f"{environment.name} is not a local environment", hint="use `-e local`")
        link, pods, services = _addresses(local.state / "place.json", local.id)
        existing = Existing(
            context=local.context,
            kubeconfig=Path(local.kubeconfig or "~/.kube/config").expanduser(),
            registry=local.registry,
            node_address=local.node_address,
            docker_config=Path(settings.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser(),
        )
        return cls(
            id=local.id, project=settings.project.name, environment=environment.name,
            namespace=environment.namespace, region=environment.region,
            state=local.state, run=local.run, cache=settings.cache, kube=binary(settings), aws_port=local.aws_port,
            link=link, pods=pods, services=services, existing=existing if local.context else None,
        )  # fmt: skip

    # Names on this machine

    @property
    def interface(self) -> str:
        """The host's end of the link. The kernel allows 15 characters, so the id is shortened by a hash."""
        return f"ls-{hashlib.sha256(self.id.encode()).hexdigest()[:8]}"

    @property
    def cgroup(self) -> str:
        """The cgroup, below the root of every hierarchy, that holds all pods."""
        return f"longshore-{self.id}"

    @property
    def cluster_name(self) -> str:
        """The name of the EKS cluster, the load balancer and all else that Terraform makes once per environment."""
        return f"{self.project}-{self.environment}"

    # Addresses

    @property
    def host_ip(self) -> str:
        """This machine as the node sees it."""
        return "127.0.0.1" if self.existing else str(self.link[1])

    @property
    def node_ip(self) -> str:
        """The node as this machine sees it: API server, registry and NodePorts answer here."""
        return self.existing.node_address if self.existing else str(self.link[2])

    @property
    def registry(self) -> str:
        """HOST:PORT that images are pushed to and pulled from, over plain HTTP."""
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
        """The issuer of service account tokens, in the form that EKS gives it. It never changes: IAM refers to it."""
        return f"https://oidc.eks.{self.region}.amazonaws.com/id/{hashlib.sha256(self.id.encode()).hexdigest()[:32].upper()}"

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
        """What the edge served. The local AWS reads it as the load balancer's metrics, and keeps it short."""
        return self.logs / "edge-access.log"

    @property
    def ca(self) -> Path:
        """The certificate authority of the built-in cluster."""
        return self.pki / "ca.crt"

    @property
    def edge_ca(self) -> Path:
        """The certificate authority that signed what the edge serves: `curl --cacert` needs it."""
        return self.pki / "edge-ca.crt"

    @property
    def kubeconfig(self) -> Path:
        """An administrator's kubeconfig: the built-in cluster's own, or the file that holds the existing context."""
        return self.existing.kubeconfig if self.existing else self.pki / "admin.conf"

    @property
    def kubectl(self) -> Path:
        """The kubectl of the cluster's own version; from the PATH where Kubernetes was never compiled."""
        built = self.kube.with_name("kubectl")
        return Path("kubectl") if self.existing and not built.exists() else built

    @property
    def cluster_file(self) -> Path:
        """What the local AWS answers to DescribeCluster: endpoint, CA, issuer."""
        return self.state / "aws" / "cluster.json"

    @property
    def net(self) -> Path:
        """The file that keeps the node's network namespace alive."""
        return self.run / "net"

    @property
    def buildkit_socket(self) -> Path:
        """Where buildkitd listens."""
        return self.run / "buildkit.sock"


def _addresses(file: Path, name: str) -> tuple[IPv4Network, IPv4Network, IPv4Network]:
    try:
        kept = json.loads(file.read_text())
        return IPv4Network(kept["link"]), IPv4Network(kept["pods"]), IPv4Network(kept["services"])
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError):
        raise Precondition(
            f"{file} is damaged", hint="`invoke local.reset` makes the environment anew"
        ) from None
    taken = [*routes(ROUTES.read_text()), *_links_of_others(file)]
    link, pods, services = choose(name, taken)
    chosen = {"link": str(link), "pods": str(pods), "services": str(services)}
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".place.{os.getpid()}")
    write(draft, json.dumps(chosen, indent=2) + "\n")
    try:
        os.link(draft, file)  # fails where another process was quicker: then its choice counts
    except FileExistsError:
        return _addresses(file, name)
    finally:
        draft.unlink()
    return link, pods, services


def choose(name: str, taken: Iterable[IPv4Network]) -> tuple[IPv4Network, IPv4Network, IPv4Network]:
    """Pick link, pod and service networks that overlap none of TAKEN. The same NAME gives the same first choice."""
    busy = list(taken)

    def free(candidates: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
        return (network for network in candidates if not any(network.overlaps(other) for other in busy))

    count = 1 << (30 - LINKS.prefixlen)
    first = int(hashlib.sha256(name.encode()).hexdigest(), 16)
    base = int(LINKS.network_address)
    links = (IPv4Network((base + 4 * ((first + step) % count), 30)) for step in range(count))
    link, ranges = next(free(links), None), free(CLUSTER_RANGES)
    pods, services = next(ranges, None), next(ranges, None)
    if not (link and pods and services):
        raise Precondition(
            "every private network that the local cluster could use is routed on this machine already"
        )
    return link, pods, services


def routes(table: str) -> Iterator[IPv4Network]:
    """Yield the networks in TABLE, the text of /proc/net/route; default routes are left out.

    Read from the kernel itself, since the choice is made before any package (iproute2 among them) is installed.
    """
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[index]), "little") for index in (1, 7))
        if mask:
            yield IPv4Network((address, mask.bit_count()))


def _links_of_others(file: Path) -> Iterator[IPv4Network]:
    """Environments that are stopped now still own the link that their certificates name."""
    for other in file.parent.parent.glob("*/place.json"):
        try:
            kept: dict[str, Any] = json.loads(other.read_text())
            yield IPv4Network(kept["link"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
