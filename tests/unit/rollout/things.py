"""Objects as the API server gives them, as small as a verdict needs them."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from longshore.rollout.mirror import Objects, reduced

Thing = dict[str, Any]

IMAGE = "registry/app@sha256:new"
TEMPLATE = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": IMAGE}]}}


def deployment(
    *,
    replicas: int = 3,
    observed: int = 2,
    updated: int = 3,
    available: int = 3,
    total: int = 3,
    **status: Any,
) -> Thing:
    return {
        "metadata": {"name": "app", "uid": "d", "generation": 2},
        "spec": {"replicas": replicas, "template": TEMPLATE},
        "status": {
            "observedGeneration": observed, "updatedReplicas": updated, "availableReplicas": available, "replicas": total, **status,
        },
    }  # fmt: skip


def replica_set(uid: str = "new", image: str = IMAGE, **status: Any) -> Thing:
    template: Thing = {
        "metadata": {"labels": {"app": "app", "pod-template-hash": uid}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    owner = [{"uid": "d"}]
    return {
        "metadata": {"name": uid, "uid": uid, "ownerReferences": owner},
        "spec": {"template": template},
        "status": status,
    }


def pod(
    name: str, *, owner: str = "new", ready: bool = True, container: Thing | None = None, **status: Any
) -> Thing:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    own = {
        "name": "app",
        "imageID": "registry/app@sha256:new",
        "containerID": "containerd://1",
        **(container or {}),
    }
    return {
        "metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": owner}]},
        "spec": {"containers": [{"name": "app", "image": IMAGE}]},
        "status": {"conditions": conditions, "containerStatuses": [own], **status},
    }


def waiting(reason: str, message: str = "", **more: Any) -> Thing:
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code: int, reason: str = "Error", at: str = "2026-01-01T00:00:00Z", **more: Any) -> Thing:
    return {"terminated": {"exitCode": code, "reason": reason, "finishedAt": at, **more}}


def warning(about: str, reason: str, message: str) -> Thing:
    return {"involvedObject": {"uid": about}, "reason": reason, "message": message}


def known(**kinds: list[Thing]) -> Objects:
    """Return what a mirror would hold of the objects under each kind."""
    return Objects({kind: [reduced(kind, thing) for thing in things] for kind, things in kinds.items()})


THREE = [pod("app-1"), pod("app-2"), pod("app-3")]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for shop.localhost and 127.0.0.1 that is its own authority; return it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("shop.localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    )
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key").write_bytes(private)
    return folder / "crt", folder / "key"
