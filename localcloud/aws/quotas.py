"""Quotas of a new account for what an environment uses, so that a second one beside it fails here as it does there."""

from __future__ import annotations

import json
from typing import Any

from moto.ec2.models import EC2Backend
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from localcloud.aws.patching import Refused, add, wrap

# Service Quotas' defaults for a region, read on 2026-11-29. The vCPUs are told and not enforced.
ADDRESSES, VPCS, VCPUS = 5, 5, 5
CODES = {("ec2", "L-0263D0A3"): ADDRESSES, ("vpc", "L-F678F1CE"): VPCS, ("ec2", "L-1216C47A"): VCPUS}


@wrap(ServiceQuotasBackend, "get_service_quota")
def get_service_quota(_original: Any, self: Any, service_code: str, quota_code: str) -> dict[str, Any]:
    """Return what was granted last, or the default."""
    if (service_code, quota_code) not in CODES:
        raise Refused(400, "NoSuchResourceException", f"{quota_code} of {service_code} is no quota that is known here.")
    value = _granted(self).get((service_code, quota_code), float(CODES[service_code, quota_code]))
    return {"ServiceCode": service_code, "QuotaCode": quota_code, "Value": value, "Adjustable": True}


@add(ServiceQuotasResponse, "request_service_quota_increase")
def request_service_quota_increase(self: Any) -> str:
    """Grant it at once."""
    asked = json.loads(self.body)
    code = asked["ServiceCode"], asked["QuotaCode"]
    self.backend.get_service_quota(*code)
    _granted(self.backend)[code] = float(asked["DesiredValue"])
    return json.dumps({"RequestedQuota": {**asked, "Status": "APPROVED"}})


def _granted(backend: Any) -> dict[tuple[str, str], float]:
    granted: dict[tuple[str, str], float] = vars(backend).setdefault("granted", {})
    return granted


@wrap(EC2Backend, "allocate_address")
def allocate_address(original: Any, self: Any, *args: Any, **asked: Any) -> Any:
    """Refuse one address too many."""
    if len(self.addresses) >= ADDRESSES:
        raise Refused(400, "AddressLimitExceeded", "The maximum number of addresses has been reached.")
    return original(self, *args, **asked)


@wrap(EC2Backend, "create_vpc")
def create_vpc(original: Any, self: Any, *args: Any, **asked: Any) -> Any:
    """Refuse one VPC too many; the default one counts."""
    if len(self.vpcs) >= VPCS:
        raise Refused(400, "VpcLimitExceeded", "The maximum number of VPCs has been reached.")
    return original(self, *args, **asked)
