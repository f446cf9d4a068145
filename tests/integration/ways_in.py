"""The ways of getting AWS credentials, each with what it needs around it, at the local AWS.

The environments that use them are none of this machine's: they have no table `local`, and reach this AWS by
AWS_ENDPOINT_URL alone, so all that runs for them is what runs for Amazon's.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.integration.aws_process import ACCOUNT, REGION, AwsProcess
from tests.unit.api_server import certificate

ROLE = f"arn:aws:iam::{ACCOUNT}:role/release"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/release/"
OPERATOR = f"arn:aws:iam::{ACCOUNT}:user/operator"
ISSUER = "gitlab.example.com"
TRUSTED = {  # who may have the role: the account's own, and jobs of one project
    "sts:AssumeRole": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    "sts:AssumeRoleWithWebIdentity": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"},
}
START_URL = "https://example.awsapps.com/start"
PORTAL_TOKEN, CONTAINER_TOKEN = "the-token-of-a-login-at-the-portal", "the-token-of-a-container"


class Issuer(BaseHTTPRequestHandler):
    """Stands for the portal of IAM Identity Center, for the agent that gives a container its credentials, and, over
    TLS, for an API server: it remembers who asked.
    """

    server: Desk

    def do_GET(self) -> None:
        path, headers = self.path.partition("?")[0], self.headers
        if path == "/federation/credentials" and headers["x-amz-sso_bearer_token"] == PORTAL_TOKEN:
            self._answer({"roleCredentials": self.server.portal()})
        elif path == "/container" and headers["Authorization"] == CONTAINER_TOKEN:
            self._answer(self.server.container())
        elif path == "/version":
            self.server.bearers.append(headers["Authorization"] or "")
            self._answer({"major": "1"})
        else:
            self.send_error(401)

    def _answer(self, document: Mapping[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


class Desk(ThreadingHTTPServer):
    """Where the credentials that come over HTTP are handed out."""

    def __init__(self, aws: AwsProcess, tls: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Issuer)
        self.aws, self.bearers = aws, list[str]()
        self.issuer = ec.generate_private_key(ec.SECP256R1())
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"
        if tls:
            self.authority, key = certificate(tls)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.authority, key)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def make_role(self) -> None:
        """Make the role, and the issuer of the tokens that it trusts."""
        iam, key = self.aws.client("iam"), self.issuer.public_key().public_numbers()
        point = {"x": _encoded(key.x.to_bytes(32)), "y": _encoded(key.y.to_bytes(32))}
        keys = [{"kty": "EC", "crv": "P-256", "alg": "ES256", **point}]
        (self.aws.folder / "issuers.json").write_text(json.dumps({f"https://{ISSUER}": {"keys": keys}}))
        provider = {"Url": f"https://{ISSUER}", "ClientIDList": ["sts.amazonaws.com"]}
        iam.create_open_id_connect_provider(**provider, ThumbprintList=["0" * 40])
        trust = [{"Effect": "Allow", "Action": action, "Principal": who} for action, who in TRUSTED.items()]
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        name = ROLE.rpartition("/")[2]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")

    def token(self) -> str:
        """Return the token of a job, signed."""
        now = int(time.time())
        claims = {"iss": f"https://{ISSUER}", "aud": "sts.amazonaws.com", "sub": "project:shop", "iat": now}
        parts = ({"alg": "ES256", "typ": "JWT"}, {**claims, "exp": now + 600})
        text = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        r, s = decode_dss_signature(self.issuer.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_encoded(r.to_bytes(32) + s.to_bytes(32))}"

    def session(self, name: str) -> dict[str, Any]:
        """Return new credentials of the role, for a session called NAME."""
        made: dict[str, Any] = self.aws.client("sts").assume_role(RoleArn=ROLE, RoleSessionName=name)["Credentials"]
        return made

    def portal(self) -> dict[str, object]:
        key = self.session("portal")
        expires = int(key["Expiration"].timestamp() * 1000)
        secret = {"secretAccessKey": key["SecretAccessKey"], "sessionToken": key["SessionToken"]}
        return {"accessKeyId": key["AccessKeyId"], "expiration": expires, **secret}

    def container(self) -> dict[str, object]:
        key = self.session("container")
        names = {
            "AccessKeyId": "AccessKeyId",
            "SecretAccessKey": "SecretAccessKey",  # pragma: allowlist secret
            "Token": "SessionToken",
        }
        return {ours: key[theirs] for ours, theirs in names.items()} | {"Expiration": _time(key)}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _time(key: Mapping[str, Any]) -> str:
    return str(key["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"))


class Way:
    """One way in: the variables and files in HOME that it takes, and WHO it makes of its user."""

    def __init__(self, desk: Desk, home: Path) -> None:
        self.desk, self.home = desk, home

    def operator(self) -> tuple[str, str]:
        """The fixed key of the operator."""
        credentials = configparser.ConfigParser()
        credentials.read(self.desk.aws.folder / "credentials")
        key = credentials["default"]
        return key["aws_access_key_id"], key["aws_secret_access_key"]

    def write(self, name: str, text: str) -> str:
        """Write TEXT to a private file of the user's; return its path."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def keys(self) -> tuple[dict[str, str], str]:
        key, secret = self.operator()
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}, OPERATOR

    def older_keys(self) -> tuple[dict[str, str], str]:
        key, secret = self.operator()
        return {"TF_VAR_AWS_ACCESS_KEY_ID": key, "TF_VAR_AWS_SECRET_ACCESS_KEY": secret}, OPERATOR

    def session_token(self) -> tuple[dict[str, str], str]:
        key = self.desk.session("shell")
        pair = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        return {**pair, "AWS_SESSION_TOKEN": key["SessionToken"]}, SESSION + "shell"

    def profile(self) -> tuple[dict[str, str], str]:
        key, secret = self.operator()
        pair = f"aws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        config = f"[profile base]\n{pair}[profile work]\nrole_arn = {ROLE}\nsource_profile = base\n"
        config += f"role_session_name = profile\nregion = {REGION}\n"
        return {"AWS_PROFILE": "work", "AWS_CONFIG_FILE": self.write("aws-config", config)}, SESSION + "profile"

    def sso(self) -> tuple[dict[str, str], str]:
        token = {
            "startUrl": START_URL,
            "region": REGION,
            "accessToken": PORTAL_TOKEN,
            "expiresAt": "2099-01-01T00:00:00Z",
        }
        name = hashlib.sha1(b"work", usedforsecurity=False).hexdigest()
        self.write(f".aws/sso/cache/{name}.json", json.dumps(token))
        config = f"[sso-session work]\nsso_start_url = {START_URL}\nsso_region = {REGION}\n"
        config += "sso_registration_scopes = sso:account:access\n[profile work]\nsso_session = work\n"
        config += f"sso_account_id = {ACCOUNT}\nsso_role_name = Release\n"
        self.write(".aws/config", config)
        return {"AWS_PROFILE": "work", "AWS_ENDPOINT_URL_SSO": self.desk.url}, SESSION + "portal"

    def web_identity(self) -> tuple[dict[str, str], str]:
        file = self.write("identity", self.desk.token())
        variables = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": file, "AWS_ROLE_SESSION_NAME": "job"}
        return variables, SESSION + "job"

    def job(self) -> tuple[dict[str, str], str]:
        """A job of GitLab's: its token is in a variable, which nobody has put into a file."""
        variables = {"GITLAB_CI": "true", "AWS_ID_TOKEN": self.desk.token(), "AWS_ROLE_ARN": ROLE}
        return {**variables, "AWS_ROLE_SESSION_NAME": "job"}, SESSION + "job"

    def container(self) -> tuple[dict[str, str], str]:
        uri = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.desk.url}/container"}
        return uri | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": CONTAINER_TOKEN}, SESSION + "container"

    def process(self) -> tuple[dict[str, str], str]:
        key = self.desk.session("process")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        printed = {"Version": 1, **{name: key[name] for name in names}, "Expiration": _time(key)}
        program = self.write("print", f"print({json.dumps(printed)!r})\n")
        config = f"[profile work]\ncredential_process = {sys.executable} {program}\n"
        self.write(".aws/config", config)
        return {"AWS_PROFILE": "work"}, SESSION + "process"

    def role_and_others(self) -> tuple[dict[str, str], str]:
        """The role of a job, in a project that still has the fixed key of before, and a profile."""
        others = {**self.keys()[0], **self.older_keys()[0], **self.profile()[0]}
        return {**others, **self.web_identity()[0]}, SESSION + "job"


WAYS: dict[str, Callable[[Way], tuple[dict[str, str], str]]] = {
    "environment keys": Way.keys,
    "keys under Terraform's names": Way.older_keys,
    "keys with a session token": Way.session_token,
    "profile with a role": Way.profile,
    "portal": Way.sso,
    "web identity": Way.web_identity,
    "token of a job": Way.job,
    "container": Way.container,
    "credential_process": Way.process,
    "role beside key and profile": Way.role_and_others,
}


def shell(aws: AwsProcess, home: Path) -> dict[str, str]:
    """The variables of a shell that knows nothing of AWS but where it is."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    # Terraform takes on roles where the second variable says, whatever the first does.
    where = {"AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_STS": aws.url, "AWS_EC2_METADATA_DISABLED": "true"}
    return {**inherited, **where, "HOME": str(home), "CI": "true"}
