"""ECR: its repositories and its login lead to the real registry."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Repository
from moto.ecr.responses import ECRResponse

from longshore.local import registry_login
from longshore.local.aws.mending import wrap
from longshore.local.aws.options import current

TWELVE_HOURS = 12 * 3600


@wrap(Repository, "__init__", "create_repository", "describe_repositories")
def made(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Name the real registry in the repository's address."""
    original(self, *args, **kwargs)
    if current().registry:
        self.uri = f"{current().registry}/{self.name}"


@wrap(ECRResponse, "get_authorization_token")
def get_authorization_token(original: Any, self: Any) -> Any:
    """Give the login of the real registry; one without any takes whatever looks like one."""
    registry = current().registry
    if not registry:
        return original(self)
    token = registry_login.read(current().docker_config, registry)
    if not token:
        password = hashlib.sha256(str(self.get_access_key()).encode()).hexdigest()
        token = base64.b64encode(f"AWS:{password}".encode()).decode()
    login = {
        "authorizationToken": token,
        "expiresAt": time.time() + TWELVE_HOURS,
        "proxyEndpoint": f"http://{registry}",
    }
    return ActionResult({"authorizationData": [login]})
