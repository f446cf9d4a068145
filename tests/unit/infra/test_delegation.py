"""Whom to ask for a delegation: the domain above, through this machine's resolver, both of them on loopback."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from longshore.infra import delegation

DOMAIN, SERVER = "shop.example.com", "ns-1.awsdns-00.com"
KNOWN = {
    ("example.com.", "SOA"): "ns.example.com. host.example.com. 1 1 1 1 1",
    ("example.com.", "NS"): "ns.example.com.",
    ("ns.example.com.", "A"): "127.0.0.1",
}
Start = Callable[..., int]


def answer(wire: bytes, known: dict[tuple[str, str], str], referral: bool) -> bytes:
    query = dns.message.from_wire(wire)
    question, response = query.question[0], dns.message.make_response(query)
    kind = dns.rdatatype.to_text(question.rdtype)
    name = question.name.to_text()
    if (value := known.get((name, kind))) is None:
        some = any(other == name for other, _ in known)
        response.set_rcode(dns.rcode.NOERROR if some else dns.rcode.NXDOMAIN)
    else:
        section = response.authority if referral and name == f"{DOMAIN}." else response.answer
        section.append(dns.rrset.from_text(name, 60, "IN", kind, value))
    return response.to_wire()


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that starts a DNS server with these records and returns its port."""
    listeners: list[socket.socket] = []

    def begin(known: dict[tuple[str, str], str], *, referral: bool = False) -> int:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            with contextlib.suppress(OSError):  # closed
                while True:
                    wire, sender = listener.recvfrom(512)
                    listener.sendto(answer(wire, known, referral), sender)

        threading.Thread(target=serve, daemon=True).start()
        return int(listener.getsockname()[1])

    yield begin
    for listener in listeners:
        listener.close()


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Return a function that sets the ports of this machine's resolver and of all name servers."""

    def both(resolver: int, authorities: int) -> None:
        system = dns.resolver.Resolver(configure=False)
        system.nameservers, system.port = ["127.0.0.1"], resolver
        monkeypatch.setattr(delegation, "_system", lambda: system)
        monkeypatch.setattr(delegation, "PORT", authorities)
        monkeypatch.setattr(delegation, "ONE", 0.5)

    return both


DELEGATED = {**KNOWN, (f"{DOMAIN}.", "NS"): f"{SERVER}."}


@pytest.mark.parametrize("referral", [True, False])
def test_the_domain_above_is_asked_whatever_the_resolver_remembers(
    start: Start, use: Callable[[int, int], None], referral: bool
) -> None:
    use(start(KNOWN), start(DELEGATED, referral=referral))
    assert delegation.check(DOMAIN, [SERVER]).fine


def test_a_domain_above_that_does_not_delegate_is_named(start: Start, use: Callable[[int, int], None]) -> None:
    use(start(DELEGATED), start(KNOWN))
    found = delegation.check(DOMAIN, [SERVER])
    assert (found.fine, found.why) == (False, "example.com does not delegate it")


@pytest.mark.parametrize(("known", "fine"), [(DELEGATED, True), (KNOWN, False)])
def test_where_only_the_resolver_can_be_asked_it_is(
    start: Start, use: Callable[[int, int], None], known: dict[tuple[str, str], str], fine: bool
) -> None:
    use(start(known), 1)
    assert delegation.check(DOMAIN, [SERVER]).fine is fine


def test_a_resolver_that_knows_no_domain_above_proves_nothing(start: Start, use: Callable[[int, int], None]) -> None:
    use(start({}), start(DELEGATED))
    assert delegation.check(DOMAIN, [SERVER]).fine is None
