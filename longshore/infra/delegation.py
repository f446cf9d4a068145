"""Whether those who resolve a domain are sent to the name servers of its zone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

LOCAL = "localhost"  # names below it mean this machine and have no domain above that delegates them (RFC 6761)
PORT = 53
PATIENCE = 10.0  # seconds for all questions; one takes milliseconds
ONE = 2.0  # seconds for one server


class Delegation(Struct, frozen=True):
    """What is known of a delegation: `fine`, None where nobody could be asked, and `why` it is not fine."""

    fine: bool | None
    why: str = ""


def is_local(domain: str) -> bool:
    """Whether DOMAIN means this machine wherever it is asked for."""
    return _plain(domain).rpartition(".")[2] == LOCAL


def check(domain: str, servers: Iterable[str], resolvers: Iterable[str] = ()) -> Delegation:
    """Return whether DOMAIN is delegated to SERVERS. Takes up to ten seconds.

    It asks the name servers of the domain above, because a resolver remembers for hours that there was no such name.
    RESOLVERS (an IPv4 address, with or without a port) are asked instead where there are any.
    """
    if is_local(domain):
        return Delegation(fine=True)
    found = name_servers(domain, resolvers)
    if found is None:
        return Delegation(fine=None, why="no name server that knows could be asked from here")
    if not found:
        return Delegation(fine=False, why=f"{above(domain)} does not delegate it")
    if others := sorted(found - {_plain(server) for server in servers}):
        return Delegation(fine=False, why=f"{above(domain)} delegates it to others: {', '.join(others)}")
    return Delegation(fine=True)


def above(domain: str) -> str:
    """Return the domain above DOMAIN."""
    return _plain(domain).partition(".")[2]


def records(domain: str, servers: Iterable[str]) -> list[str]:
    """Return the records that delegate DOMAIN to SERVERS, as lines of a zone file."""
    return [f"{_plain(domain)}. 172800 IN NS {_plain(server)}." for server in sorted(servers)]


def name_servers(domain: str, resolvers: Iterable[str] = ()) -> frozenset[str] | None:
    """Return the name servers that DOMAIN is delegated to, or None where nobody could be asked."""
    import dns.exception
    import dns.name
    import dns.resolver

    until = time.monotonic() + PATIENCE
    given = [_address(text) for text in resolvers]
    try:
        whom = given or _authorities(
            dns.resolver.zone_for_name(dns.name.from_text(domain).parent(), resolver=_system(), lifetime=ONE)
        )
    except dns.exception.DNSException:  # a resolver that does not know the domain above knows nothing of a delegation
        return None
    with contextlib.suppress(dns.exception.DNSException, OSError):  # raised by looking for whom to ask
        for address, port in whom:
            if time.monotonic() > until:
                return None
            with contextlib.suppress(dns.exception.DNSException, OSError):
                return _asked(domain, address, port)
    return None if given else _resolved(domain, until)


def _asked(domain: str, address: str, port: int) -> frozenset[str]:
    import dns.message
    import dns.query
    import dns.rcode
    import dns.rdatatype

    query = dns.message.make_query(domain, dns.rdatatype.NS)
    answer, _ = dns.query.udp_with_fallback(query, address, timeout=ONE, port=port)
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        raise OSError(f"{address} answers {dns.rcode.to_text(answer.rcode())}")
    sections = (*answer.answer, *answer.authority)  # a referral is in the second
    found = (each for each in sections if each.rdtype == dns.rdatatype.NS and _plain(str(each.name)) == _plain(domain))
    return frozenset(_plain(str(record.target)) for each in found for record in each)


def _authorities(zone: Any) -> Iterator[tuple[str, int]]:
    """Yield addresses of the name servers of ZONE."""
    system = _system()
    for server in list(system.resolve(zone, "NS", lifetime=ONE))[:3]:
        for record in system.resolve(server.target, "A", lifetime=ONE):
            yield record.address, PORT


def _resolved(domain: str, until: float) -> frozenset[str] | None:
    """Return what this machine's resolver says, for networks where only that may ask others."""
    import dns.exception
    import dns.resolver

    lifetime = max(ONE, until - time.monotonic())
    try:
        answer = _system().resolve(domain, "NS", lifetime=lifetime, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return frozenset()
    except (dns.exception.DNSException, OSError):
        return None
    return frozenset(_plain(str(record.target)) for record in answer)


def _system() -> Any:
    import dns.resolver

    return dns.resolver.Resolver()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port or PORT)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
