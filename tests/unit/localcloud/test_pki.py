from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network

import pytest
import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from localcloud import certificates, pki
from localcloud.layout import Layout


def certificate(layout: Layout, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((layout.pki / f"{name}.crt").read_bytes())


def signed(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError):  # the latter where it names another issuer
        return False
    return True


def test_every_certificate_is_signed_by_the_cluster_s_authority_and_no_other(layout: Layout) -> None:
    pki.ensure(layout)
    pki.edge(layout, ["shop.localhost"])
    leaves = [certificate(layout, leaf.file) for leaf in pki.leaves(layout)]
    assert [signed(leaf, certificate(layout, "ca")) for leaf in leaves] == [True] * 8
    assert [signed(leaf, certificate(layout, "edge-ca")) for leaf in leaves] == [False] * 8


def test_keys_are_their_owner_s_alone(layout: Layout) -> None:
    pki.ensure(layout)
    private = [*layout.pki.glob("*.key"), *layout.pki.glob("*.conf")]
    assert len(private) >= 14
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_a_second_call_changes_nothing(layout: Layout) -> None:
    pki.ensure(layout)
    before = {path.name: path.read_bytes() for path in layout.pki.iterdir()}
    pki.ensure(layout)
    assert {path.name: path.read_bytes() for path in layout.pki.iterdir()} == before


def test_another_address_renews_what_names_it_and_nothing_else(layout: Layout) -> None:
    pki.ensure(layout)
    before = {path.stem: path.read_bytes() for path in layout.pki.glob("*.crt")}
    pki.ensure(replace(layout, link=IPv4Network("198.19.0.8/30")))
    after = {path.stem: path.read_bytes() for path in layout.pki.glob("*.crt")}
    assert {name for name in before if before[name] != after[name]} == {"apiserver", "kubelet"}


def test_a_certificate_is_renewed_before_it_expires(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "LEAF_LIFE", timedelta(days=29))
    pki.ensure(layout)
    old = certificate(layout, "apiserver").serial_number
    monkeypatch.undo()
    pki.ensure(layout)
    assert certificate(layout, "apiserver").serial_number != old


def test_a_damaged_key_is_replaced(layout: Layout) -> None:
    pki.ensure(layout)
    (layout.pki / "admin.key").write_text("")
    pki.ensure(layout)
    key = (layout.pki / "admin.key").read_bytes()
    assert serialization.load_pem_private_key(key, None)


def test_a_kubeconfig_names_the_api_server(layout: Layout) -> None:
    pki.ensure(layout)
    config = yaml.safe_load(layout.kubeconfig.read_text())
    assert config["clusters"][0]["cluster"]["server"] == "https://198.19.0.6:6443"
    assert config["current-context"] == config["contexts"][0]["name"] == "shop-local"


def test_the_edge_has_an_authority_of_its_own(layout: Layout) -> None:
    assert pki.edge(layout, ["shop.localhost", "www.shop.localhost"])
    assert not pki.edge(layout, ["shop.localhost", "www.shop.localhost"])
    served = certificate(layout, "edge").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert served.get_values_for_type(x509.DNSName)[:2] == ["shop.localhost", "www.shop.localhost"]
    assert signed(certificate(layout, "edge"), certificate(layout, "edge-ca"))
    assert pki.edge(layout, ["other.localhost"])


def test_the_edge_s_authority_lasts_a_year_and_vouches_for_this_machine_s_names_alone(layout: Layout) -> None:
    pki.edge(layout, ["shop.localhost", "*.shop.localhost"])
    authority = certificate(layout, "edge-ca")
    assert authority.not_valid_after_utc - authority.not_valid_before_utc <= timedelta(days=366)
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert list(limits.value.permitted_subtrees or ()) == [
        x509.DNSName("localhost"),
        x509.IPAddress(IPv4Network("127.0.0.0/8")),
    ]


def test_an_environment_with_a_domain_of_its_own_gets_an_authority_for_that_one_too(layout: Layout) -> None:
    pki.edge(layout, ["shop.test", "*.shop.test"])
    limits = certificate(layout, "edge-ca").extensions.get_extension_for_class(x509.NameConstraints).value
    names = [name.value for name in limits.permitted_subtrees or () if isinstance(name, x509.DNSName)]
    assert names == ["localhost", "shop.test"]
    before = certificate(layout, "edge-ca").serial_number
    assert pki.edge(layout, ["other.localhost"])
    assert certificate(layout, "edge-ca").serial_number != before


def test_an_authority_without_limits_or_near_its_end_is_replaced_and_so_is_what_it_signed(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout.pki.mkdir(parents=True)
    certificates.Authority(layout.pki, "edge-ca", "Longshore").issue("edge", "a.localhost", serves=["a.localhost"])
    old = certificate(layout, "edge-ca")
    assert pki.edge(layout, ["a.localhost"])
    assert certificate(layout, "edge-ca").serial_number != old.serial_number
    assert signed(certificate(layout, "edge"), certificate(layout, "edge-ca"))
    monkeypatch.setattr(certificates, "CONSTRAINED_LIFE", timedelta(days=29))
    layout.edge_ca.unlink()
    pki.edge(layout, ["a.localhost"])
    ending = certificate(layout, "edge-ca").serial_number
    monkeypatch.undo()
    assert pki.edge(layout, ["a.localhost"])
    assert certificate(layout, "edge-ca").serial_number != ending


def test_the_cluster_s_authority_is_kept_as_it_is(layout: Layout) -> None:
    """Service account tokens and kubeconfigs outlive a year; nobody puts this one into a browser."""
    pki.ensure(layout)
    with pytest.raises(x509.ExtensionNotFound):
        certificate(layout, "ca").extensions.get_extension_for_class(x509.NameConstraints)
