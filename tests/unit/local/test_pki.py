from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from longshore.local import pki
from longshore.local.place import Place


def certificate(place: Place, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((place.pki / f"{name}.crt").read_bytes())


def test_every_certificate_is_signed_by_the_cluster_s_authority(place: Place) -> None:
    pki.ensure(place)
    for leaf in pki.leaves(place):
        certificate(place, leaf.file).verify_directly_issued_by(certificate(place, "ca"))


def test_keys_are_their_owner_s_alone(place: Place) -> None:
    pki.ensure(place)
    private = [*place.pki.glob("*.key"), *place.pki.glob("*.conf")]
    assert len(private) >= 14
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_a_second_call_changes_nothing(place: Place) -> None:
    pki.ensure(place)
    before = {path.name: path.read_bytes() for path in place.pki.iterdir()}
    pki.ensure(place)
    assert {path.name: path.read_bytes() for path in place.pki.iterdir()} == before


def test_another_address_renews_what_names_it_and_nothing_else(place: Place) -> None:
    pki.ensure(place)
    before = {path.stem: path.read_bytes() for path in place.pki.glob("*.crt")}
    pki.ensure(replace(place, link=IPv4Network("198.19.0.8/30")))
    after = {path.stem: path.read_bytes() for path in place.pki.glob("*.crt")}
    assert {name for name in before if before[name] != after[name]} == {"apiserver", "kubelet"}


def test_a_certificate_is_renewed_before_it_expires(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pki, "LEAF_LIFE", timedelta(days=29))
    pki.ensure(place)
    old = certificate(place, "apiserver").serial_number
    monkeypatch.undo()
    pki.ensure(place)
    assert certificate(place, "apiserver").serial_number != old


def test_a_damaged_key_is_made_anew(place: Place) -> None:
    pki.ensure(place)
    (place.pki / "admin.key").write_text("")
    pki.ensure(place)
    key = (place.pki / "admin.key").read_bytes()
    assert serialization.load_pem_private_key(key, None)


def test_a_kubeconfig_names_the_api_server(place: Place) -> None:
    pki.ensure(place)
    config = yaml.safe_load(place.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://198.19.0.6:6443"
    assert config["current-context"] == config["contexts"][0]["name"] == "shop-local"


def test_the_edge_has_an_authority_of_its_own(place: Place) -> None:
    assert pki.edge(place, ["shop.localhost", "www.shop.localhost"])
    assert not pki.edge(place, ["shop.localhost", "www.shop.localhost"])
    served = certificate(place, "edge").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert served.get_values_for_type(x509.DNSName)[:2] == ["shop.localhost", "www.shop.localhost"]
    certificate(place, "edge").verify_directly_issued_by(certificate(place, "edge-ca"))
    assert pki.edge(place, ["other.localhost"])
