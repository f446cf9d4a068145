"""What a listener of the local AWS may say before it becomes nginx's configuration.

Whoever may call the local AWS writes these values, and moto takes any. A load balancer takes few, none of which can
end a directive of nginx.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from longshore.errors import Precondition

PROTOCOLS = {"HTTP": "http", "HTTPS": "https"}
PORTS, IDLE = range(1, 65536), range(1, 4001)  # Elastic Load Balancing's limits; the second in seconds
REDIRECT = re.compile(r"https?:([1-9][0-9]{0,4}):30[12]")
TLS = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
HOST = re.compile(r"[a-z0-9.-]{1,128}")
CIPHER = re.compile(r"[A-Z0-9_-]{1,64}")


def require_plain(listener: Mapping[str, Any]) -> None:
    """Raise Precondition, naming the value, where no load balancer takes one of LISTENER or the edge cannot serve it.

    LISTENER has the fields of `edge.Listener`. Types are checked as well: the values come out of JSON.
    """
    to = REDIRECT.fullmatch(listener["redirect"])
    checks = {
        "port": _in(listener["port"], PORTS),
        "protocol": listener["protocol"] in PROTOCOLS,
        "redirect": not listener["redirect"] or (to is not None and int(to[1]) in PORTS),
        "target": bool(listener["redirect"]) or _in(listener["target"], PORTS),
        "protocols": set(listener["protocols"]) <= TLS,
        "ciphers": all(CIPHER.fullmatch(name) for name in listener["ciphers"]),
        "hosts": all(HOST.fullmatch(name) and _in(port, PORTS) for name, port in listener["hosts"]),
        "idle": _in(listener["idle"], IDLE),
    }
    port = listener["port"]
    for name, fine in checks.items():
        if not fine:
            value = str(listener[name])[:80]
            raise Precondition(
                f"the load balancer's listener on port {str(port)[:20]!r} has the {name} {value!r},"
                " which no load balancer takes or the local edge cannot serve",
                hint="correct terraform/, then `invoke infra.apply`",
            )


def _in(value: object, allowed: range) -> bool:
    return type(value) is int and value in allowed
