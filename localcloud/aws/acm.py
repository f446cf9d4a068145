"""ACM: a certificate is issued once its validation records can be resolved, as in AWS, and not by a timer.

They are in a zone of Route 53 then, and the domain above that zone delegates it to the zone's name servers.
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.acm.models import CertBundle
from moto.route53.models import route53_backends

from localcloud.aws import parent
from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import wrap


def validation_record(certificate: Any, domain: str) -> tuple[str, str]:
    """Return name and value of the CNAME that proves control of DOMAIN: always the same in one account."""
    bare = domain.removeprefix("*.")
    account = certificate.arn.split(":")[4]
    name = hashlib.sha256(f"{account}|{bare}".encode()).hexdigest()[:32]
    value = hashlib.sha256(f"value|{account}|{bare}".encode()).hexdigest()[:32]
    return f"_{name}.{bare}.", f"_{value}.xlfgrmvvlj.acm-validations.aws."


def _normalized(name: str, value: object) -> tuple[str, str]:
    return name.rstrip(".").lower(), str(value).rstrip(".").lower()


@wrap(CertBundle, "check", "describe_certificate")
def check(original: Any, self: Any) -> None:
    """Issue the certificate once every domain is validated."""
    if self.type != "AMAZON_ISSUED" or self.status != "PENDING_VALIDATION":
        original(self)
        return
    present = {
        _normalized(records.name, value)
        for zone in route53_backends[ACCOUNT][PARTITION].zones.values()
        if zone.delegation_set and not zone.private_zone
        if parent.delegated(zone.name, zone.delegation_set.name_servers)
        for records in zone.rrsets
        for value in getattr(records, "records", None) or []
    }
    wanted = {_normalized(*validation_record(self, domain)) for domain in {*self.sans, self.common_name}}
    if wanted <= present:
        self.status = "ISSUED"


@wrap(CertBundle, "describe", "describe_certificate")
def describe(original: Any, self: Any) -> Any:
    """Return one validation record per domain; moto returns the same one for all."""
    described = original(self)
    certificate = described["Certificate"]
    for option in certificate.get("DomainValidationOptions", []):
        record = option["ResourceRecord"]
        record["Name"], record["Value"] = validation_record(self, option["DomainName"])
    if self.status != "ISSUED":
        certificate.pop("IssuedAt", None)
    return described
