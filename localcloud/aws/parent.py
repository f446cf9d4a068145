"""The DNS above our zones, as far as a delegation needs it: the records that an operator sets at a registrar.

They are in a file, one a line in the form of a zone file: `shop.example.com. 172800 IN NS ns-1.awsdns-00.com.`
"""

from __future__ import annotations

import contextlib
import socket
import threading

from localcloud.aws.options import current

LOCAL = "localhost"  # names below it mean this machine and have no parent (RFC 6761)
LARGEST = 512  # bytes of a query without extensions


def name_servers(domain: str) -> frozenset[str]:
    """Return the name servers that DOMAIN is delegated to, in lower case and without a dot at the end."""
    wanted, found = _plain(domain), set()
    with contextlib.suppress(OSError):
        for line in current().parent.read_text(encoding="utf-8").splitlines():
            words = line.partition(";")[0].split()
            if len(words) > 2 and words[-2].upper() == "NS" and _plain(words[0]) == wanted:
                found.add(_plain(words[-1]))
    return frozenset(found)


def delegated(domain: str, servers: list[str]) -> bool:
    """Whether somebody who resolves a name in DOMAIN is sent to SERVERS, and to no others."""
    if _plain(domain).rpartition(".")[2] == LOCAL:
        return True
    found = name_servers(domain)
    return bool(found) and found <= {_plain(server) for server in servers}


def serve(host: str, port: int) -> int:
    """Answer DNS queries over UDP at HOST:PORT in a thread, as the parent's name servers do. Return the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((host, port))
    threading.Thread(target=_answer_all, args=(listener,), daemon=True).start()
    return int(listener.getsockname()[1])


def _answer_all(listener: socket.socket) -> None:
    while True:
        query, sender = listener.recvfrom(LARGEST)
        with contextlib.suppress(Exception):  # whatever was sent, the next query gets its answer
            listener.sendto(_answer(query), sender)


def _answer(wire: bytes) -> bytes:
    """Return a referral for a delegated name, and NXDOMAIN for any other."""
    import dns.message
    import dns.rcode
    import dns.rrset

    query = dns.message.from_wire(wire)
    response, name = dns.message.make_response(query), query.question[0].name
    servers = sorted(name_servers(name.to_text()))
    if servers:
        response.authority.append(dns.rrset.from_text(name, 172800, "IN", "NS", *(f"{server}." for server in servers)))
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
