"""The layout of one local environment: folders, names, addresses, ports. Almost every other module here takes it."""

from __future__ import annotations

import hashlib
import json
from ipaddress import IPv4Network
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from localcloud import addresses
from localcloud.addresses import RECORD
from localcloud.build.programs import KUBERNETES
from localcloud.daemon import Daemon
from longshore.errors import Precondition
from longshore.files import write_if_changed
from longshore.settings.model import Environment, Settings

ABOUT = "about.json"  # in both folders: whose environment it is, for `known`
NODE = "local"  # the name of the first node in Kubernetes


class Existing(Struct, frozen=True):
    """A cluster that Longshore did not create: context, kubeconfig, and where its registry and NodePorts answer."""

    context: str
    kubeconfig: Path
    registry: str
    node_address: str
    docker_config: Path


class Layout(Struct, frozen=True, kw_only=True):
    """One local environment on this machine, as the node `number` sees it. `state` survives a stop, `run` does not."""

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
    second: IPv4Network | None = None  # /30 between this machine and the second node, if there is one
    number: int = 1

    @classmethod
    def of(cls, settings: Settings, environment: Environment) -> Layout:
        """Return the layout of ENVIRONMENT, with new addresses at the first call. Raises as `LocalCloud.of` does."""
        local = environment.local
        if local is None:
            raise Precondition(f"{environment.name} is not a local environment", hint="use `-e local`")
        link, pods, services = addresses.chosen(local.state / RECORD, local.id)
        several = local.nodes > 1 and not local.context
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
            second=addresses.second(local.state / RECORD, local.id) if several else None,
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

    # Nodes

    @property
    def nodes(self) -> tuple[Layout, ...]:
        """The environment as each of its nodes sees it. What is not said to be a node's is the same for all."""
        return self.possible if self.second else (self,)

    @property
    def possible(self) -> tuple[Layout, Layout]:
        """The same for the nodes that it may have had before, in whatever condition they are."""
        return replace(self, number=1), replace(self, number=2)

    @property
    def suffix(self) -> str:
        """What the names of the node's own files, daemon and interface end with."""
        return "" if self.number == 1 else f"-{self.number}"

    @property
    def node_name(self) -> str:
        """The node's name in Kubernetes."""
        return f"{NODE}{self.suffix}"

    @property
    def zone(self) -> str:
        """The node's availability zone. Most regions begin with a and b; Tokyo's b takes no new accounts."""
        first, other = "a", "c" if self.region == "ap-northeast-1" else "b"
        return f"{self.region}{first if self.number == 1 else other}"

    @property
    def own_pods(self) -> IPv4Network:
        """The addresses of the node's pods."""
        return list(self.pods.subnets())[self.number - 1] if self.second else self.pods

    @property
    def own_link(self) -> IPv4Network:
        """The network between this machine and the node."""
        return self.second if self.second and self.number == 2 else self.link

    @property
    def links(self) -> str:
        """The networks between this machine and all nodes, with commas."""
        return ",".join(str(node.own_link) for node in self.nodes)

    # Names on this machine

    @property
    def interface(self) -> str:
        """The host's end of the node's link. The kernel allows 15 characters, so the id is hashed."""
        return f"ls-{hashlib.sha256(self.id.encode()).hexdigest()[:8]}{self.suffix}"

    @property
    def cgroup(self) -> str:
        """The cgroup, below the root of every hierarchy, that holds all of the node's pods."""
        return f"longshore-{self.id}{self.suffix}"

    @property
    def cluster_name(self) -> str:
        """The name of the EKS cluster, the load balancer and whatever else Terraform creates once per environment."""
        return f"{self.project}-{self.environment}"

    # Addresses

    @property
    def host_ip(self) -> str:
        """This machine's address as the node sees it."""
        return "127.0.0.1" if self.existing else str(self.own_link[1])

    @property
    def node_ip(self) -> str:
        """The node's address as this machine sees it: NodePorts answer there."""
        return self.existing.node_address if self.existing else str(self.own_link[2])

    @property
    def registry(self) -> str:
        """HOST:PORT of the registry, over plain HTTP: at the first node's address."""
        return self.existing.registry if self.existing else f"{self.link[2]}:5001"

    @property
    def docker_config(self) -> Path:
        """The folder that holds the registry's login; with an existing cluster, the user's own."""
        return self.existing.docker_config if self.existing else self.state / "docker"

    @property
    def endpoint(self) -> str:
        """The API server of the built-in cluster: at the first node's address."""
        return f"https://{self.link[2]}:6443"

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
    def config(self) -> Path:
        """What the node's components read when they start."""
        return self.state / f"node{self.suffix}"

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
    def unhealthy(self) -> Path:
        """Where the local AWS has a file PORT-NUMBER for each of several nodes whose target there is unhealthy."""
        return self.state / "unhealthy"

    @property
    def aws_secret(self) -> Path:
        """What opens the local AWS's own routes."""
        return self.cluster_file.with_name("secret")

    @property
    def net(self) -> Path:
        """The mount that keeps the first node's network namespace alive, or what the other one is plugged into."""
        return self.run / f"net{self.suffix}"

    @property
    def buildkit_socket(self) -> Path:
        """Where buildkitd listens."""
        return self.run / "buildkit.sock"
