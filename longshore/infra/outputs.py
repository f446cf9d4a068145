"""Terraform's outputs: checked once, where they enter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import msgspec

from longshore.errors import StateUnknown


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """Where a review environment can be: `url` leads to `node_port` of each node, what is there is in `namespace`."""

    host_name: str
    url: str
    namespace: str
    node_port: int


class Outputs(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs that Longshore reads; `values` are all that are not sensitive, by name.

    `repository_url` has no tag, the load balancer sends to `node_port` of each node, whose processor is
    `node_architecture` as Docker calls it, certificates are base64 of PEM. The application answers to `host_names`; a
    state that an older version applied has none. Review environments have `review_slots`, and their own repository.
    """

    url: str
    repository_url: str
    node_port: int
    node_architecture: Literal["amd64", "arm64"] = "amd64"  # an apply before it was an output knew no other
    cluster_name: str
    cluster_endpoint: str
    cluster_certificate_authority_data: str
    values: dict[str, Any]
    host_names: tuple[str, ...] = ()
    review_slots: tuple[Slot, ...] = ()
    review_repository_url: str | None = None

    def within(self, slot: Slot) -> Self:
        """Return the outputs as a release to SLOT sees them."""
        where = {"url": slot.url, "node_port": slot.node_port, "host_names": (slot.host_name,)}
        return msgspec.structs.replace(self, **where, repository_url=self.review_repository_url or "")

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return VALUES, checked. Raises StateUnknown, naming the output that is missing or has the wrong type."""
        try:
            return msgspec.convert({**values, "values": dict(values)}, cls, strict=False)
        except msgspec.ValidationError as problem:
            sentence = f"Terraform's outputs are not those that Longshore needs: {problem}"
            raise StateUnknown(sentence, hint="`invoke infra.output` shows them") from None


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The infrastructure as applied: `fingerprint` of sources and variables, or empty where its outputs were read."""

    fingerprint: str
    outputs: Outputs
    note: str = ""


def plain(printed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are not sensitive, by name; PRINTED has the form of `terraform output -json`."""
    return {name: output["value"] for name, output in printed.items() if not output["sensitive"]}
