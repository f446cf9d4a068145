"""The clients of an environment on this machine do not hear what the shell says about AWS."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

from longshore import aws
from longshore.errors import Precondition
from longshore.settings.load import load

ROOT = Path(__file__).parents[2]
SHELL = {
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_PROFILE": "nobody",
    "AWS_ACCESS_KEY_ID": "real",
    "AWS_SECRET_ACCESS_KEY": "real",  # pragma: allowlist secret
    "AWS_SESSION_TOKEN": "real",
    "AWS_ROLE_ARN": "arn:aws:iam::222222222222:role/real",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_CA_BUNDLE": "/nowhere",
    "AWS_MAX_ATTEMPTS": "77",
    "AWS_RETRY_MODE": "legacy",
    "AWS_AUTH_SCHEME_PREFERENCE": "httpBearerAuth",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
}


CALLS = {
    "sts": lambda client: client.get_caller_identity(),
    "s3": lambda client: client.list_buckets(),
    "ecr": lambda client: client.get_authorization_token(),
    "cloudwatch": lambda client: client.describe_alarms(),
    "secretsmanager": lambda client: client.get_secret_value(SecretId="x"),
}


class Requests(BaseHTTPRequestHandler):
    """Stands for the local AWS: records who asks, and refuses."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append(str(self.headers["Authorization"]))
        self.send_response(400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)
    Requests.seen.clear()
    with HTTPServer(("127.0.0.1", 0), Requests) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = {"LONGSHORE__ENVIRONMENTS__LOCAL__LOCAL__AWS_PORT": str(server.server_port)}
        yield {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), **SHELL, **port}
        server.shutdown()


@pytest.mark.parametrize("service", CALLS)
def test_a_local_client_reaches_the_local_aws_as_itself_whatever_the_shell_says(
    environ: dict[str, str], service: str
) -> None:
    local = load(ROOT, environ).environment("local")
    credentials = Path(str(local.aws_env["AWS_SHARED_CREDENTIALS_FILE"]))
    credentials.parent.mkdir(parents=True)
    credentials.write_text("[default]\naws_access_key_id = own\naws_secret_access_key = own\n")
    with contextlib.suppress(ClientError, BotoCoreError, ResponseParserError):  # it gets no answer that it could read
        CALLS[service](aws.client(local, service))
    assert Requests.seen
    assert all("Credential=own/" in authorization for authorization in Requests.seen)


def test_a_local_client_is_made_once_and_anew_once_the_credentials_are_others(environ: dict[str, str]) -> None:
    local = load(ROOT, environ).environment("local")
    credentials = Path(str(local.aws_env["AWS_SHARED_CREDENTIALS_FILE"]))
    credentials.parent.mkdir(parents=True)
    made = [aws.client(local, "sts")]  # before there are any
    for number in (1, 2):
        credentials.write_text(f"[default]\naws_access_key_id = own-{number}\naws_secret_access_key = own\n")
        os.utime(credentials, (number, number))
        made.append(aws.client(local, "sts"))
        assert aws.client(local, "sts") is made[-1]
        with contextlib.suppress(ClientError, BotoCoreError, ResponseParserError):
            made[-1].get_caller_identity()
        assert f"Credential=own-{number}/" in Requests.seen[-1]
    assert len(set(map(id, made))) == 3


def test_the_clients_of_an_account_are_made_once_for_each_of_its_identities(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "one", "AWS_SECRET_ACCESS_KEY": "x", "HOME": str(tmp_path)}
    one = load(ROOT, keys).environment("production")
    other = load(ROOT, keys | {"AWS_ACCESS_KEY_ID": "other"}).environment("production")
    assert aws.client(one, "sts") is aws.client(one, "sts")
    assert aws.client(one, "sts") is not aws.client(one, "eks")
    assert aws.client(one, "sts") is not aws.client(other, "sts")


def test_without_its_own_credentials_a_local_client_uses_nobody_elses(environ: dict[str, str]) -> None:
    with pytest.raises(NoCredentialsError):
        aws.client(load(ROOT, environ).environment("local"), "sts").get_caller_identity()
    assert Requests.seen == []


def test_each_client_has_the_profile_of_its_own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = "\n".join(f"[{name}]\naws_access_key_id={name}\naws_secret_access_key=x" for name in ("live", "staging"))
    (tmp_path / "credentials").write_text(keys)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "live")
    for profile in ("live", "staging"):
        client = aws.of_shell({"AWS_PROFILE": profile}, "eu-central-1", "sts")
        assert client._request_signer._credentials.access_key == profile


TOKENS = {
    "gitlab": {"GITLAB_CI": "true", "AWS_ID_TOKEN": "of-gitlab"},
    "github": {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t", "ACTIONS_ID_TOKEN_REQUEST_URL": "u"},
}
NOWHERE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
}


@pytest.mark.parametrize("provider", TOKENS)
def test_a_job_with_a_token_and_no_role_is_told_which_variable_is_missing(
    monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    for name, value in NOWHERE.items():  # botocore looks there itself
        monkeypatch.setenv(name, value)
    there = load(ROOT, TOKENS[provider] | NOWHERE)
    with pytest.raises(Precondition, match="this job has a token, but no role to take on in production") as refused:
        aws.require_role(there.environment("production"), there.job)
    assert "`invoke ci.variables`" in refused.value.hint
    aws.require_role(there.environment("local"), there.job)  # its own key
    for enough in ({"AWS_ROLE_ARN": "arn"}, {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "x" * 40}):
        with_it = load(ROOT, TOKENS[provider] | NOWHERE | enough)
        aws.require_role(with_it.environment("production"), with_it.job)
    aws.require_role(load(ROOT, NOWHERE).environment("production"), load(ROOT, NOWHERE).job)
