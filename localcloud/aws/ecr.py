"""ECR: repository addresses and logins of the real registry."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import Repository
from moto.ecr.responses import ECRResponse

from localcloud import registry_login
from localcloud.aws.options import current
from localcloud.aws.patching import wrap

TWELVE_HOURS = 12 * 3600


@wrap(Repository, "__init__", "create_repository", "describe_repositories")
def made(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """Use the real registry in the repository's address."""
    original(self, *args, **kwargs)
    if current().registry:
        self.uri = f"{current().registry}/{self.name}"


@wrap(ECRResponse, "get_authorization_token")
def get_authorization_token(original: Any, self: Any) -> Any:
    """Return the login of the real registry; a registry without logins accepts any."""
    registry = current().registry
    if not registry:
        return original(self)
    token = registry_login.read(current().docker_config, registry)
    if not token:
        password = hashlib.sha256(str(self.get_access_key()).encode()).hexdigest()
        token = base64.b64encode(f"AWS:{password}".encode()).decode()
    expires, address = time.time() + TWELVE_HOURS, f"http://{registry}"
    login = {"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": address}
    return ActionResult({"authorizationData": [login]})
