"""Certificates and kubeconfigs of one environment: made once, kept, renewed before they expire or when names change."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from longshore.local.files import write

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from longshore.local.place import Place

NODE = "local"  # the node's name in Kubernetes
RENEW = timedelta(days=30)
AUTHORITY_LIFE, LEAF_LIFE = timedelta(days=3650), timedelta(days=365)


@dataclass(frozen=True)
class Leaf:
    """One certificate to have: its file name, common name, organization and the names it serves under."""

    file: str
    name: str
    organization: str = ""
    serves: tuple[str, ...] = ()


class Authority:
    """A certificate authority kept as FOLDER/NAME.crt and .key; made on first use, made anew before it expires."""

    def __init__(self, folder: Path, name: str, title: str) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self.folder = folder
        self.file = folder / f"{name}.crt"
        kept = _kept(self.file)
        if kept is None:
            key = ec.generate_private_key(ec.SECP256R1())
            kept = _sign(title, "", (), key, None, AUTHORITY_LIFE), key
            _save(self.file, *kept)
        self.certificate, self.key = kept

    def have(self, leaf: Leaf) -> bool:
        """Make or renew LEAF where needed. Return whether it is new."""
        from cryptography.hazmat.primitives.asymmetric import ec

        file = self.folder / f"{leaf.file}.crt"
        kept = _kept(file)
        if kept is not None and _matches(kept[0], leaf, self.certificate):
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        _save(file, _sign(leaf.name, leaf.organization, leaf.serves, key, self, LEAF_LIFE), key)
        return True


def ready(place: Place) -> bool:
    """Whether the cluster's certificates exist. Their age is looked at by `ensure`."""
    return place.ca.exists() and place.kubeconfig.exists()


def ensure(place: Place) -> None:
    """Make whatever the cluster of PLACE lacks: authority, certificates, service account key, kubeconfigs."""
    place.pki.mkdir(parents=True, exist_ok=True)
    place.pki.chmod(0o700)
    authority = Authority(place.pki, "ca", "kubernetes")
    for leaf in leaves(place):
        authority.have(leaf)
    _service_account_key(place.pki)
    for user in ("admin", "controller-manager", "scheduler", "proxy", "kubelet"):
        write(place.pki / f"{user}.conf", kubeconfig(place, user), mode=0o600)


def leaves(place: Place) -> tuple[Leaf, ...]:
    """Return every certificate of the cluster; the groups are those that Kubernetes' own RBAC rules name."""
    services = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    api = ("127.0.0.1", place.node_ip, str(place.services[1]), "localhost", *services)
    return (
        Leaf("apiserver", "kube-apiserver", serves=api),
        Leaf("apiserver-kubelet", "kube-apiserver-kubelet-client", "system:masters"),
        Leaf("admin", "longshore-admin", "system:masters"),
        Leaf("controller-manager", "system:kube-controller-manager"),
        Leaf("scheduler", "system:kube-scheduler"),
        Leaf("proxy", "system:kube-proxy", "system:node-proxier"),
        Leaf("kubelet", f"system:node:{NODE}", "system:nodes", (NODE, "127.0.0.1", place.node_ip)),
    )


def edge(place: Place, names: Sequence[str]) -> bool:
    """Have a certificate for NAMES, signed by an authority of the edge's own. Return whether it is new."""
    place.pki.mkdir(parents=True, exist_ok=True)
    authority = Authority(place.pki, "edge-ca", f"Longshore {place.id}")
    return authority.have(
        Leaf("edge", names[0], serves=tuple(dict.fromkeys([*names, "localhost", "127.0.0.1"])))
    )


def kubeconfig(place: Place, user: str) -> str:
    """Return the kubeconfig of USER, with everything in it that it needs."""

    def data(name: str) -> str:
        return base64.b64encode((place.pki / name).read_bytes()).decode()

    return f"""apiVersion: v1
kind: Config
clusters:
- name: {place.cluster_name}
  cluster: {{server: "{place.endpoint}", certificate-authority-data: {data("ca.crt")}}}
users:
- name: {user}
  user: {{client-certificate-data: {data(user + ".crt")}, client-key-data: {data(user + ".key")}}}
contexts:
- name: {place.cluster_name}
  context: {{cluster: {place.cluster_name}, user: {user}}}
current-context: {place.cluster_name}
"""


def _service_account_key(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if (folder / "sa.pub").exists():  # written last, so both are there
        return
    key = rsa.generate_private_key(65537, 2048)
    write(folder / "sa.key", _pem(key), mode=0o600)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    write(folder / "sa.pub", key.public_key().public_bytes(serialization.Encoding.PEM, form))


def _kept(file: Path) -> tuple[x509.Certificate, EllipticCurvePrivateKey] | None:
    """Return the certificate and key in FILE, or None where one is missing, damaged or about to expire."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = load_pem_private_key(file.with_suffix(".key").read_bytes(), None)
    except (OSError, ValueError):
        return None
    expires = certificate.not_valid_after_utc
    if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return (certificate, key) if expires - datetime.now(UTC) > RENEW else None


def _matches(certificate: x509.Certificate, leaf: Leaf, authority: x509.Certificate) -> bool:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    if certificate.subject != _subject(leaf.name, leaf.organization):
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not leaf.serves
    return list(names) == _names(leaf.serves)


def _sign(
    name: str,
    organization: str,
    serves: Sequence[str],
    key: EllipticCurvePrivateKey,
    by: Authority | None,
    life: timedelta,
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID as Use

    now, subject = datetime.now(UTC), _subject(name, organization)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + life)
        .add_extension(
            x509.BasicConstraints(ca=by is None, path_length=0 if by is None else None), critical=True
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    signer = by.key if by else key
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    if by is None:
        usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    else:
        uses = [Use.CLIENT_AUTH, *([Use.SERVER_AUTH] if serves else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if serves:
        builder = builder.add_extension(x509.SubjectAlternativeName(_names(serves)), critical=False)
    return builder.sign(signer, hashes.SHA256())


_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _subject(name: str, organization: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _names(serves: Sequence[str]) -> list[x509.GeneralName]:
    from cryptography import x509

    def one(name: str) -> x509.GeneralName:
        try:
            return x509.IPAddress(ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    return [one(name) for name in serves]


def _save(file: Path, certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    write(file.with_suffix(".key"), _pem(key), mode=0o600)
    write(file, certificate.public_bytes(Encoding.PEM))


def _pem(key: EllipticCurvePrivateKey | RSAPrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
