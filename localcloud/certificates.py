"""Certificate authorities, certificates and keys in a folder: created once, renewed when they expire or change.

Only `pki` imports this, where it is used: cryptography takes long to load, and most commands do not need it.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from longshore.files import write_if_changed

RENEW = timedelta(days=30)  # before a certificate expires
START = timedelta(hours=1)  # before now, for clocks that differ
AUTHORITY_LIFE, CONSTRAINED_LIFE, LEAF_LIFE = timedelta(days=3650), timedelta(days=365), timedelta(days=365)
Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


class Authority:
    """A certificate authority stored as FOLDER/NAME.crt and .key: created on first use, renewed before it expires.

    One that is PERMITTED some names (domains, networks) can vouch for those and what is below them alone, and lasts a
    year: people put it into their browsers. An older one with other limits or none is replaced.
    """

    def __init__(self, folder: Path, name: str, title: str, permitted: Sequence[str] = ()) -> None:
        self.folder = folder
        file = folder / f"{name}.crt"
        pair = _load(file)
        if pair is None or not _limited(pair[0], permitted):
            key = ec.generate_private_key(ec.SECP256R1())
            pair = _sign(_subject(title), (), key, None, permitted), key
            _save(file, *pair)
        self.certificate, self.key = pair

    def issue(self, name: str, common_name: str, organization: str = "", serves: Sequence[str] = ()) -> bool:
        """Have FOLDER/NAME.crt and .key certify COMMON_NAME and the host names and addresses SERVES.

        Return whether the certificate is new: the old one is missing, damaged, about to expire, or says something else.
        """
        file, subject = self.folder / f"{name}.crt", _subject(common_name, organization)
        pair = _load(file)
        if pair is not None and self._issued(pair[0], subject, serves):
            return False
        key = ec.generate_private_key(ec.SECP256R1())
        _save(file, _sign(subject, serves, key, self), key)
        return True

    def key_pair(self, name: str) -> None:
        """Have an RSA key FOLDER/NAME.key and its public half NAME.pub beside the certificates."""
        public = self.folder / f"{name}.pub"
        if public.exists():  # written last, so both are there
            return
        key = rsa.generate_private_key(65537, 2048)
        write_if_changed(self.folder / f"{name}.key", _pem(key), 0o600)
        write_if_changed(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    def published(self, name: str) -> dict[str, object]:
        """Return FOLDER/NAME.pub as a JWKS, the form in which issuers of tokens publish their keys."""
        key = serialization.load_pem_public_key((self.folder / f"{name}.pub").read_bytes())
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError(f"{name}.pub is not an RSA key")
        numbers = key.public_numbers()
        parts = {"n": numbers.n.to_bytes(key.key_size // 8), "e": numbers.e.to_bytes(3)}
        text = {part: base64.urlsafe_b64encode(value).decode().rstrip("=") for part, value in parts.items()}
        return {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", **text}]}

    def _issued(self, certificate: x509.Certificate, subject: x509.Name, serves: Sequence[str]) -> bool:
        """Whether CERTIFICATE is this authority's, for SUBJECT and just the names SERVES."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (InvalidSignature, ValueError, TypeError):
            return False
        try:
            names = list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
        except x509.ExtensionNotFound:
            names = []
        return certificate.subject == subject and names == _names(serves)


def _load(file: Path) -> Pair | None:
    """Return the certificate and key in FILE, or None if one is missing, damaged or about to expire."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = serialization.load_pem_private_key(file.with_suffix(".key").read_bytes(), None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return (certificate, key) if certificate.not_valid_after_utc - datetime.now(UTC) > RENEW else None


def _limited(certificate: x509.Certificate, permitted: Sequence[str]) -> bool:
    """Whether the authority with CERTIFICATE may vouch for the names PERMITTED alone, and not for too long."""
    try:
        limits = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return not permitted
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return limits.value.permitted_subtrees == _names(permitted) and life <= CONSTRAINED_LIFE + START


def _sign(
    subject: x509.Name,
    serves: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    issuer: Authority | None,
    permitted: Sequence[str] = (),
) -> x509.Certificate:
    """Return a certificate for SUBJECT, signed by ISSUER; without one, an authority's own, for the names PERMITTED."""
    now, signer = datetime.now(UTC), issuer.key if issuer else key
    authority_life = CONSTRAINED_LIFE if permitted else AUTHORITY_LIFE
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - START)
        .not_valid_after(now + (LEAF_LIFE if issuer else authority_life))
        .add_extension(x509.BasicConstraints(ca=not issuer, path_length=None if issuer else 0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if issuer is None:
        usage = x509.KeyUsage(
            *(False,) * 5, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if serves else [])]
        builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    if permitted:
        limits = x509.NameConstraints(_names(permitted), None)
        builder = builder.add_extension(limits, critical=True)
    if serves:
        builder = builder.add_extension(x509.SubjectAlternativeName(_names(serves)), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _subject(common_name: str, organization: str = "") -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _names(serves: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for name in serves:
        try:
            names.append(x509.IPAddress(ip_network(name) if "/" in name else ip_address(name)))
        except ValueError:
            names.append(x509.DNSName(name))
    return names


def _save(file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_if_changed(file.with_suffix(".key"), _pem(key), 0o600)
    write_if_changed(file, certificate.public_bytes(Encoding.PEM))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
