"""Answers of the load balancer's web ACL: they come from in front of the release, and say nothing about it."""

from __future__ import annotations

PAUSE = 5.0  # seconds between two requests while blocked: blocked ones count towards the rate, too
FORBIDDEN, LONGEST = 403, 1024  # bytes of the page that are looked at
# The page of a load balancer's own 403, without its blanks. No framework of an application answers with exactly this.
PAGE = "<html><head><title>403Forbidden</title></head><body><center><h1>403Forbidden</h1></center></body></html>"
HINT = "addresses in Terraform's api_allowed_cidrs are exempt from its rate"


class Blocked(OSError):
    """The web ACL answered in the release's place."""

    def __init__(self) -> None:
        super().__init__("the web ACL of the load balancer blocks this machine (403), so the release cannot be asked")


def blocks(status: int, page: str) -> bool:
    """Return whether an answer with STATUS and PAGE is the load balancer's own refusal."""
    return status == FORBIDDEN and "".join(page[:LONGEST].split()) == PAGE
