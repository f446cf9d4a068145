"""The state of the local AWS as one file, so that it survives a restart."""

from __future__ import annotations

import _thread
import io
import pickle
import tempfile
import threading
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

import moto.backends
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from moto.core.base_backend import BackendDict
from moto.ssm.models import ParameterDict

LOCK, RLOCK = type(_thread.allocate_lock()), type(threading.RLock())
PRIVATE = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
PUBLIC = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)
OLD_PACKAGE = "longshore.local.aws."  # what this package was called when older snapshots were written
MAGIC = f"longshore-aws 1 moto {version('moto')}\n".encode()


class Unreadable(Exception):
    """The snapshot cannot be restored. It has been moved aside, and the account is empty."""


def _temporary_file(data: bytes) -> Any:
    file = tempfile.SpooledTemporaryFile(max_size=1 << 20)
    file.write(data)
    file.seek(0)
    return file


# Functions of this module: cryptography's own are built in, and a pickle cannot name them.
def _private_key(data: bytes) -> Any:
    return serialization.load_der_private_key(data, None)


def _public_key(data: bytes) -> Any:
    return serialization.load_der_public_key(data)


def _certificate(data: bytes) -> Any:
    return x509.load_der_x509_certificate(data)


# SSM keeps the tags of parameters in a defaultdict whose factory is a function without a name of its own.
TAGS = "SimpleSystemManagerBackend.__init__.<locals>.<lambda>"


def _tags() -> defaultdict[str, Any]:
    return defaultdict(dict)


def _tags_factory() -> Any:
    return _tags


class _Pickler(pickle.Pickler):
    """Pickles what pickle itself cannot: locks, S3 objects, keys, certificates, moto's registries."""

    def reducer_override(self, value: Any) -> Any:
        der = serialization.Encoding.DER
        match value:
            case _ if isinstance(value, LOCK):
                reduced: Any = (_thread.allocate_lock, ())
            case _ if isinstance(value, RLOCK):
                reduced = (threading.RLock, ())
            case tempfile.SpooledTemporaryFile():
                at = value.tell()
                value.seek(0)
                reduced = (_temporary_file, (value.read(),))
                value.seek(at)
            case _ if isinstance(value, PRIVATE):
                form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                reduced = (_private_key, (value.private_bytes(der, form, plain),))
            case _ if isinstance(value, PUBLIC):
                public = serialization.PublicFormat.SubjectPublicKeyInfo
                reduced = (_public_key, (value.public_bytes(der, public),))
            case x509.Certificate():
                reduced = (_certificate, (value.public_bytes(der),))
            case BackendDict():
                reduced = (moto.backends.get_backend, (value.service_name,))
            case _ if isinstance(value, FunctionType) and value.__qualname__ == TAGS:
                reduced = (_tags_factory, ())
            case ParameterDict():
                made = (value.account_id, value.region_name)
                reduced = (ParameterDict, made, value.__dict__, None, iter(dict.items(value)))
            case _:
                reduced = NotImplemented
        return reduced


class _Unpickler(pickle.Unpickler):
    """Also reads snapshots from before the package was renamed."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith(OLD_PACKAGE):
            module = f"localcloud.aws.{module.removeprefix(OLD_PACKAGE)}"
        return super().find_class(module, name)


def dumps() -> bytes:
    """Return all of moto's state. The caller keeps others from changing it meanwhile."""
    rows = [
        (backends.service_name, account, region, backend)
        for backends in BackendDict._instances  # type: ignore[misc]  # noqa: SLF001 (moto has no public list of them)
        for account, region, backend in backends.iter_backends()
    ]
    file = io.BytesIO(MAGIC)
    file.seek(0, io.SEEK_END)
    _Pickler(file, protocol=5).dump(rows)
    return file.getvalue()


def restore(path: Path) -> bool:
    """Restore the state from PATH and return True; return False if there is no such file.

    Raises Unreadable after moving aside a file that is damaged or from an incompatible version.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    try:
        if not data.startswith(MAGIC):
            header = data[:60].split(b"\n")[0].decode("ascii", "replace")
            raise ValueError(f"its header is {header!r}, this version writes {MAGIC.decode().strip()!r}")
        # Only this program writes the file, into a folder of its user: unpickling gives nobody else a way in.
        rows = _Unpickler(io.BytesIO(data[len(MAGIC) :])).load()
        for service, account, region, backend in rows:
            dict.__setitem__(moto.backends.get_backend(service)[account], region, backend)
            if service == "s3":  # moto keeps the register of bucket names outside the backends
                names = moto.backends.get_backend("s3").bucket_accounts  # type: ignore[attr-defined]
                names.update(dict.fromkeys(backend.buckets, (region, account)))
    except Exception as problem:
        aside = path.with_name(f"{path.name}.unreadable-{time.strftime('%Y%m%dT%H%M%S')}")
        path.replace(aside)
        raise Unreadable(
            f"cannot restore the local AWS ({problem}); it starts empty, and the unreadable snapshot is now"
            f" {aside.name}. If deploying fails because of that, run `invoke local.reset`"
        ) from problem
    return True
