"""Which networks an environment has: chosen at its first start, so that they overlap nothing here, and written down."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network
from pathlib import Path

from longshore.errors import Precondition
from longshore.files import from_json, locked, write_atomically

# Links are taken from the benchmarking range (RFC 2544), which no real network should route. Traffic of pods and
# services never leaves the nodes, so every environment may use the same ranges.
LINKS = IPv4Network("198.19.0.0/16")
LINK = 30  # the prefix length of one
CLUSTER_RANGES = tuple(IPv4Network(f"10.{second}.0.0/16") for second in (*range(88, 128), *range(200, 256)))
ROUTES = Path("/proc/net/route")
RECORD = "place.json"  # in the state folder: the chosen networks; the name is that of existing environments


def chosen(file: Path, name: str) -> tuple[IPv4Network, IPv4Network, IPv4Network]:
    """Return the networks of the link, of pods and of services that FILE records, new ones at the first call.

    Raises Precondition if the record is damaged, or no free network is left.
    """
    try:
        record = from_json(file.read_bytes(), dict[str, str])
        link, pods, services = (IPv4Network(record[key]) for key in ("link", "pods", "services"))
        if not (link.subnet_of(LINKS) and link.prefixlen == LINK and {pods, services} <= set(CLUSTER_RANGES)):
            raise ValueError("not of the ranges that are chosen from")
        return link, pods, services
    except FileNotFoundError:
        pass
    except (ValueError, KeyError):
        raise _damaged(file) from None
    with locked(file.parent.parent / "places.lock", time.sleep):  # two that choose at once would not see each other
        if file.exists():
            return chosen(file, name)
        link, pods, services = choose(name, [*routes(ROUTES.read_text()), *_links_of_others(file)])
        write_atomically(file, json.dumps({"link": str(link), "pods": str(pods), "services": str(services)}) + "\n")
    return link, pods, services


def second(file: Path, name: str) -> IPv4Network:
    """Return the network of the second node's link that FILE records, a new one at the first call. Raises as `chosen`.

    FILE has the other networks already.
    """
    with locked(file.parent.parent / "places.lock", time.sleep):
        try:
            record = from_json(file.read_bytes(), dict[str, str])
            if "second" not in record:
                record["second"] = str(choose(f"{name}-2", [*routes(ROUTES.read_text()), *_links_of_others(file)])[0])
                write_atomically(file, json.dumps(record) + "\n")
            link = IPv4Network(record["second"])
            if not (link.subnet_of(LINKS) and link.prefixlen == LINK):
                raise ValueError("not of the range that is chosen from")
        except ValueError:
            raise _damaged(file) from None
    return link


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
    """Yield the links of all environments, stopped ones too, since their certificates name them."""
    for other in file.parent.parent.glob(f"*/{RECORD}"):
        for key in ("link", "second"):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                yield IPv4Network(from_json(other.read_bytes(), dict[str, str])[key])


def _damaged(file: Path) -> Precondition:
    return Precondition(f"{file} is damaged", hint="delete that file, then run `invoke local.reset`")
