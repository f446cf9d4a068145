"""Requests that nobody has signed."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.unit.localcloud.aws.local_aws import HOST

BY_TOKEN = "AssumeRoleWithWebIdentity"
FORM = "application/x-www-form-urlencoded"
CREATE = {"Action": "CreateUser", "UserName": "intruder", "Version": "2010-05-08"}
SOMEBODY = "AKIAIOSFODNN7EXAMPLE"  # pragma: allowlist secret
FORGED = f"AWS4-HMAC-SHA256 Credential={SOMEBODY}/20261129/us-east-1/iam/aws4_request"
# Method, path, headers, body: none of them is signed, and each would create a user or a bucket in moto.
UNSIGNED: dict[str, tuple[str, str, dict[str, str], str]] = {
    "plain": ("POST", "/", {}, urlencode(CREATE)),
    "an exempt action in the query": ("POST", f"/?Action={BY_TOKEN}", {}, urlencode(CREATE)),
    "an exempt action in the query of a bucket": ("PUT", f"/intruder?Action={BY_TOKEN}", {}, ""),
    "an exempt action first": ("POST", "/", {}, f"Action={BY_TOKEN}&{urlencode(CREATE)}"),
    "an exempt action last": ("POST", "/", {}, f"{urlencode(CREATE)}&Action={BY_TOKEN}"),
    "an exempt action in another field": ("POST", "/", {}, f"x=Action={BY_TOKEN}&{urlencode(CREATE)}"),
    "an action after 200 bytes": ("POST", "/", {}, f"x={'x' * 300}&{urlencode(CREATE)}"),
    "SAML": ("POST", "/", {}, "Action=AssumeRoleWithSAML&RoleArn=a&PrincipalArn=b&SAMLAssertion=c"),
    "an Authorization without a signature": ("POST", "/", {"Authorization": FORGED}, urlencode(CREATE)),
    "the same and an exempt action": ("POST", "/", {"Authorization": FORGED}, f"Action={BY_TOKEN}"),
    "the same, an exempt action in the query, and the real one after 200 bytes": (
        *("POST", f"/?Action={BY_TOKEN}", {"Authorization": FORGED}, f"x={'x' * 300}&{urlencode(CREATE)}"),
    ),
    "another scheme": ("POST", "/", {"Authorization": "Basic QTpC"}, urlencode(CREATE)),
    "version 2": ("PUT", "/intruder", {"Authorization": f"AWS {SOMEBODY}:c2lnbmF0dXJl"}, ""),
    "something after the signature": (
        "POST",
        "/",
        {"Authorization": f"{FORGED}, SignedHeaders=host, Signature=0, x"},
        "",
    ),
    "a target": ("POST", "/", {"X-Amz-Target": "AWSCognitoIdentityService.CreateIdentityPool"}, "{}"),
    "a target beside an exempt action": (
        *("POST", "/", {"X-Amz-Target": "AWSCognitoIdentityService.CreateIdentityPool"}, f"Action={BY_TOKEN}"),
    ),
    "moto's own address": ("POST", "/moto-api/reset", {}, ""),
    "moto's own address, encoded": ("POST", "/%6doto-api/reset", {}, ""),
    "moto's own address in full": ("POST", f"http://{HOST}/moto-api/reset", {}, ""),
    "a service in the path": ("POST", "/iam_aws/", {}, urlencode(CREATE)),
    "the machine's metadata": ("GET", "/latest/meta-data/iam/security-credentials/", {}, ""),
    "a form for S3": ("POST", "/intruder", {}, "key=a&file=b"),
}
