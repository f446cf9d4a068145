"""Everything that the local AWS knows, in one file, so that it survives a restart.

The file is replaced as a whole (written aside, synced, renamed): a kill at any moment leaves the last good one.
"""

from __future__ import annotations

import _thread
import io
import os
import pickle
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import moto.backends
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from moto.core.base_backend import BackendDict

LOCK, RLOCK = type(_thread.allocate_lock()), type(threading.RLock())
PRIVATE = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
PUBLIC = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
MAGIC = f"longshore-aws 1 moto {version('moto')}\n".encode()


class Unreadable(Exception):
    """The snapshot can't be restored. It was moved aside, and the account starts empty."""


def _temporary_file(data: bytes) -> Any:
    file = tempfile.SpooledTemporaryFile(max_size=1 << 20)
    file.write(data)
    file.seek(0)
    return file


# Functions of this module, since cryptography's own are built in and can't be named in a pickle.
def _private_key(data: bytes) -> Any:
    return serialization.load_der_private_key(data, None)


def _public_key(data: bytes) -> Any:
    return serialization.load_der_public_key(data)


def _certificate(data: bytes) -> Any:
    return x509.load_der_x509_certificate(data)


class _Pickler(pickle.Pickler):
    """Pickles what pickle does not: locks, S3 objects, keys, certificates, moto's registries."""

    def reducer_override(self, thing: Any) -> Any:
        der = serialization.Encoding.DER
        match thing:
            case _ if isinstance(thing, LOCK):
                reduced: Any = (_thread.allocate_lock, ())
            case _ if isinstance(thing, RLOCK):
                reduced = (threading.RLock, ())
            case tempfile.SpooledTemporaryFile():
                at = thing.tell()
                thing.seek(0)
                reduced = (_temporary_file, (thing.read(),))
                thing.seek(at)
            case _ if isinstance(thing, PRIVATE):
                form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                reduced = (_private_key, (thing.private_bytes(der, form, plain),))
            case _ if isinstance(thing, PUBLIC):
                public = serialization.PublicFormat.SubjectPublicKeyInfo
                reduced = (_public_key, (thing.public_bytes(der, public),))
            case x509.Certificate():
                reduced = (_certificate, (thing.public_bytes(der),))
            case BackendDict():
                reduced = (moto.backends.get_backend, (thing.service_name,))
            case _:
                reduced = NotImplemented
        return reduced


def dumps() -> bytes:
    """Return all of moto's state. Nothing may change it meanwhile."""
    rows = [
        (backends.service_name, account, region, backend)
        for backends in BackendDict._instances  # type: ignore[misc]  # noqa: SLF001 (moto has no public list of them)
        for account, region, backend in backends.iter_backends()
    ]
    file = io.BytesIO(MAGIC)
    file.seek(0, io.SEEK_END)
    _Pickler(file, protocol=5).dump(rows)
    return file.getvalue()


def write(path: Path, data: bytes) -> None:
    """Put DATA in the place of PATH, whole or not at all. Raises OSError with the old file untouched."""
    draft = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def restore(path: Path) -> bool:
    """Bring back what PATH holds and return True; False where there is none.

    Raises Unreadable after moving aside a file that is damaged or of another version.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    try:
        if not data.startswith(MAGIC):
            known = data[:60].split(b"\n")[0].decode("ascii", "replace")
            raise ValueError(f"it begins with {known!r} and not with {MAGIC.decode().strip()!r}")
        # Written by this program alone, into a folder of its user: not a way in for others.
        rows = pickle.loads(data[len(MAGIC) :])  # noqa: S301  # nosec B301 - see above
        for service, account, region, backend in rows:
            dict.__setitem__(moto.backends.get_backend(service)[account], region, backend)
            if service == "s3":  # the register of bucket names is beside the backends
                names = moto.backends.get_backend("s3").bucket_accounts  # type: ignore[attr-defined]
                names.update(dict.fromkeys(backend.buckets, (region, account)))
    except Exception as problem:
        aside = path.with_name(f"{path.name}.unreadable-{time.strftime('%Y%m%dT%H%M%S')}")
        path.replace(aside)
        raise Unreadable(
            f"the snapshot can't be read ({problem}); it is kept as {aside.name}, the account is empty"
        ) from problem
    return True
