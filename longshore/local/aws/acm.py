"""ACM: a certificate is issued once its validation records stand in Route 53, as in AWS, and not by a timer."""

from __future__ import annotations

import hashlib
from typing import Any

from moto.acm.models import CertBundle
from moto.route53.models import route53_backends

from longshore.local.aws.mending import wrap
from longshore.local.aws.options import ACCOUNT, PARTITION


def validation_record(certificate: Any, domain: str) -> tuple[str, str]:
    """Return name and value of the CNAME that proves control of DOMAIN: the same for every request of one account."""
    bare = domain.removeprefix("*.")
    account = certificate.arn.split(":")[4]
    name = hashlib.sha256(f"{account}|{bare}".encode()).hexdigest()[:32]
    value = hashlib.sha256(f"value|{account}|{bare}".encode()).hexdigest()[:32]
    return f"_{name}.{bare}.", f"_{value}.xlfgrmvvlj.acm-validations.aws."


def _plain(name: str, value: object) -> tuple[str, str]:
    return name.rstrip(".").lower(), str(value).rstrip(".").lower()


@wrap(CertBundle, "check", "describe_certificate")
def check(original: Any, self: Any) -> None:
    """Issue the certificate when every domain is validated."""
    if self.type != "AMAZON_ISSUED" or self.status != "PENDING_VALIDATION":
        original(self)
        return
    present = {
        _plain(records.name, value)
        for zone in route53_backends[ACCOUNT][PARTITION].zones.values()
        for records in zone.rrsets
        for value in getattr(records, "records", None) or []
    }
    wanted = {_plain(*validation_record(self, domain)) for domain in {*self.sans, self.common_name}}
    if wanted <= present:
        self.status = "ISSUED"


@wrap(CertBundle, "describe", "describe_certificate")
def describe(original: Any, self: Any) -> Any:
    """Name a validation record per domain; moto names the same one for all."""
    described = original(self)
    certificate = described["Certificate"]
    for option in certificate.get("DomainValidationOptions", []):
        record = option["ResourceRecord"]
        record["Name"], record["Value"] = validation_record(self, option["DomainName"])
    if self.status != "ISSUED":
        certificate.pop("IssuedAt", None)
    return described
