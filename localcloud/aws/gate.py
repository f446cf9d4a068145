"""Who may call the local AWS: only what is meant for it, and only with a signature or a token that holds.

This machine may have other users, its browser shows pages of strangers, and pods reach it over the link.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl, unquote, urlencode

from localcloud.aws import authorization, sts, web_identity
from localcloud.aws.call import Call, Environ
from localcloud.aws.options import current
from localcloud.aws.patching import Refused
from localcloud.secret import login

WITH_PROOF = "AssumeRoleWithWebIdentity"  # the one call that brings its own proof of identity and no signature
MOTOS_OWN = ("/moto-api", "/latest/", "/favicon.ico")  # what moto answers beside AWS's services
# A call that moto takes from the header of an already checked one.
SCOPE = "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=x"


def refuse_strangers(call: Call, environ: Environ) -> None:
    """Raise Refused for a page in a browser, for a name that is not this server's, and for moto's own addresses.

    A page whose host name is made to resolve to this machine sends that name; our clients send the address that they
    were told. No SDK sends what browsers alone send.
    """
    host = call.headers.get("host", "")
    if host not in current().hosts:
        raise Refused(403, "AccessDenied", f"This server is not called {host[:200]!r}")
    if "origin" in call.headers or any(name.startswith("sec-fetch-") for name in call.headers):
        raise Refused(403, "AccessDenied", "Pages in a browser may not call this server")
    paths = (unquote(call.path), environ.get("PATH_INFO", ""))
    if any(path.startswith(MOTOS_OWN) for path in paths):
        raise Refused(404, "NoSuchKey", "There is nothing at this address")
    environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)  # moto would act on another account


def knows_secret(call: Call) -> bool:
    """Whether CALL has the environment's secret, which opens the routes that AWS does not have."""
    given, secret = call.headers.get("authorization", ""), current().secret
    return bool(secret) and hmac.compare_digest(given.encode(), login(secret).encode())


def check(call: Call, environ: Environ) -> sts.Identity | None:
    """Return who signed CALL, or None for one that brings a token.

    Raise Refused unless AWS would accept the signature or the token, and IAM permits the call.
    """
    if "authorization" in call.headers:
        if call.authorization is None:
            raise Refused(403, "IncompleteSignature", "The Authorization header is not a signature of version 4")
        sts.check_header(call.signed(), call.authorization[0], call.authorization[3])
        who = sts.identity_of(call.authorization[0])
    elif call.presigned:
        who = sts.check_presigned(call.method, call.path, call.query, call.headers)
        if call.service == "sts":  # moto reads the service from the header; without one it assumes S3
            credential = dict(parse_qsl(call.query))["X-Amz-Credential"]
            environ["HTTP_AUTHORIZATION"] = SCOPE.format(credential=credential)
    else:
        call.replace_body(environ, urlencode(_by_token(call, environ)).encode())
        environ["HTTP_AUTHORIZATION"] = SCOPE.format(credential="token/20000101/us-east-1/sts/aws4_request")
        return None
    authorization.check(call, who)
    return who


def _by_token(call: Call, environ: Environ) -> dict[str, str]:
    """Return the form of a call that brings a valid token. Raises Refused for every other call."""
    absent = ("x-amz-target", "content-encoding", "x-amz-security-token")
    at_root = call.path == environ.get("PATH_INFO") == "/" and not call.query
    pairs = call.form if at_root and call.method == "POST" and not any(name in call.headers for name in absent) else []
    form = dict(pairs)
    if form.get("Action") != WITH_PROOF or len(form) != len(pairs):
        raise Refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    authorization.check_token(web_identity.verified(form.get("WebIdentityToken", "")), form.get("RoleArn", ""))
    return form
