"""Whether the cluster's API and the domain can be reached, and by whom."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Self

import pytest

from longshore import aws
from longshore.doctor import network
from tests.unit.doctor.place import ACCOUNT, place, wrong


@pytest.mark.usefixtures("amazon")
def test_a_cluster_that_does_not_exist_yet_is_no_fault(tmp_path: Path) -> None:
    (row,) = network.api(place(tmp_path, account=ACCOUNT))
    assert (row.fine, row.do) == (None, "there is no cluster shop-production yet")


@pytest.mark.parametrize("open_", [True, False])
def test_an_api_that_accepts_no_connections_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_: bool
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if open_:
            listener.listen()
        endpoint = f"https://127.0.0.1:{listener.getsockname()[1]}"

        class Eks:
            class exceptions:  # noqa: N801 (botocore's)
                ResourceNotFoundException = KeyError

            def describe_cluster(self, name: str) -> dict[str, Any]:
                return {"cluster": {"name": name, "endpoint": endpoint}}

        monkeypatch.setattr(aws, "client", lambda *_: Eks())
        (row,) = network.api(place(tmp_path))
    assert row.fine is open_


@pytest.mark.usefixtures("amazon")
def test_zones_are_looked_at_before_and_after_they_are_made(tmp_path: Path) -> None:
    here = place(tmp_path, account=ACCOUNT)
    (row,) = network.domain(here)
    assert (row.fine, row.do) == (None, "its zone does not exist yet: the first plan and apply make it")
    route53 = aws.client(here.environment, "route53")
    made = route53.create_hosted_zone(Name="shop.acme.io", CallerReference="1")
    (row,) = network.domain(here)
    assert row.fine is None, "nobody could be asked"
    assert "shop.acme.io. 172800 IN NS" in row.do
    route53.create_hosted_zone(Name="shop.acme.io", CallerReference="2")
    assert [what.partition(":")[0] for what in wrong(network.domain(here))] == ["zones of shop.acme.io"]
    (row,) = network.domain(place(tmp_path, hosted_zone_id=made["HostedZone"]["Id"].rpartition("/")[2]))
    assert row.what == "shop.acme.io is delegated to its zone"


@pytest.mark.parametrize(
    ("answer", "fine"), [(b"8.8.8.9\n", True), (b"9.9.9.9\n", False), (b"<html>", None), (OSError("no route"), None)]
)
def test_this_machines_address_has_to_be_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes | OSError, fine: bool | None
) -> None:
    class Answer:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, _: int) -> bytes:
            assert isinstance(answer, bytes)
            return answer

    def ask(*_: object, **__: object) -> Answer:
        if isinstance(answer, OSError):
            raise answer
        return Answer()

    monkeypatch.setattr(network.urllib.request, "urlopen", ask)
    (row,) = network.own_address(place(tmp_path))
    assert row.fine is fine
    assert fine is not None or "curl https://checkip.amazonaws.com" in row.do
    assert list(network.own_address(place(tmp_path, api_allowed_cidrs=[]))) == []
