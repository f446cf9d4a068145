"""SSM: the public parameters that name EKS's node images, which moto lacks."""

from __future__ import annotations

import re
from typing import Any

from moto.core.utils import utcnow
from moto.ssm.models import Parameter, ParameterDict

from localcloud.aws.eks_nodes import release_of
from localcloud.aws.patching import wrap
from longshore.infra.support import SUPPORT

IMAGE = re.compile(
    r"/aws/service/eks/optimized-ami/(1\.\d+)/amazon-linux-2023/(x86_64|arm64)/standard/recommended/release_version"
)


@wrap(ParameterDict, "_check_loading_status", "get_parameter")
def check_loading_status(original: Any, self: Any, key: str) -> None:
    """Make the parameter when it is first asked for, as moto does with those that it knows."""
    original(self, key)
    match = IMAGE.fullmatch(str(key or ""))
    if match and match[1] in SUPPORT and not dict.__contains__(self, key):
        made: dict[str, Any] = {"name": key, "value": release_of(match[1]), "parameter_type": "String", "version": 1}
        made |= dict.fromkeys(("description", "allowed_pattern", "keyid"))
        make: Any = Parameter  # moto's own class lacks what its base declares
        made |= {"last_modified_date": utcnow(), "data_type": "text", "account_id": self.account_id}
        dict.__setitem__(self, key, [make(**made)])
