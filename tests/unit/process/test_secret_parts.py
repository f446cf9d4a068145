"""A secret may hold others, which programs print by themselves."""

from __future__ import annotations

import json
import time

import pytest

from longshore.process.command import Secret
from longshore.process.redaction import Redactor, secrets_in

PASSWORD = "hunter2-Zq9xLong"  # pragma: allowlist secret
OTHER, TOKEN = f"other-{PASSWORD}"[::-1], "glpat-" + "4bcdefgh1jklmn0pqrst"


@pytest.mark.parametrize(
    ("secret", "part"),
    [
        (f"postgres://app:{PASSWORD}@db.internal:5432/shop", PASSWORD),
        ("postgres://app:hunter2%2FZq9%40xLong@db/shop", "hunter2/Zq9@xLong"),  # pragma: allowlist secret
        ("redis://:p@ssw0rd-Long7x@cache:6379/0", "p@ssw0rd-Long7x"),
        ("mysql://app:p/ssw0rd-Long7x@db/shop", "p/ssw0rd-Long7x"),
        (f"amqp://app:{PASSWORD}@a:5672/,amqp://app:{OTHER}@b:5672/", OTHER),
        (f"https://{TOKEN}@git.example/shop.git", TOKEN),
        (f"https://{TOKEN}:x-oauth-basic@git.example/shop.git", TOKEN),  # pragma: allowlist secret
        (f"host=db user=app password={PASSWORD} dbname=shop", PASSWORD),
        (f"host=db user=app password='{PASSWORD}'", PASSWORD),
        (f"jdbc:postgresql://db/shop?user=app&password={PASSWORD}&ssl=true", PASSWORD),
        ("Server=db;Uid=app;Pwd=hunter2-Zq9xLong;", PASSWORD),
        ("AccountName=shop;AccountKey=Zm9vYmFyYmF6cXV4==;EndpointSuffix=x", "Zm9vYmFyYmF6cXV4=="),
        (json.dumps({"a": {"password": PASSWORD}}), PASSWORD),
        (json.dumps({"b": [{"c": [PASSWORD]}]}), PASSWORD),
        (json.dumps([PASSWORD]), PASSWORD),
        (json.dumps({"pin": 12345678901}), "12345678901"),
        (json.dumps({"url": f"postgres://app:{PASSWORD}@db/shop"}), PASSWORD),
        (json.dumps({"inner": json.dumps({"password": PASSWORD})}), PASSWORD),
    ],
)
def test_what_is_secret_within_a_secret_does_not_pass(secret: str, part: str) -> None:
    assert Redactor([Secret(secret)]).text(f"it is {part}.") == "it is [redacted]."


@pytest.mark.parametrize(
    "harmless",
    [
        "https://registry.example:5000/shop@sha256:0123456789abcdef",
        "http://example.com:8080/people/someone@example.com",
        "http://proxy.example:3128",
        "ssh://git@git.example/shop.git",
    ],
)
def test_an_address_without_a_password_is_no_secret(harmless: str) -> None:
    assert list(secrets_in({"ADDRESS": harmless})) == []


def test_a_deep_document_is_a_secret_like_any_other() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert "[redacted]" in Redactor([Secret(deep)]).text(deep[:1000])


@pytest.mark.parametrize(
    "name",
    [
        *("DB_PASS", "SMTP_PASS", "PASS", "MYSQL_PWD", "APIKEY", "STRIPE_APIKEY", "GITHUB_PAT", "NPM_AUTH", "TOKENS"),
        *("SECRET_KEY_BASE", "API_KEYS", "APP_SECRETS", "HASH_SALT", "SLACK_WEBHOOK_URL", "db_password"),
    ],
)
def test_a_variable_of_a_secret_name_is_secret(name: str) -> None:
    assert [secret.reveal() for secret in secrets_in({name: PASSWORD})] == [PASSWORD]


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "COMPASS", "PATH", "KEYBOARD", "AUTHOR", "MONKEY", "PASSES"])
def test_a_variable_of_another_name_is_not(name: str) -> None:
    assert list(secrets_in({name: "/home/someone"})) == []


def test_a_line_of_backslashes_takes_time_in_proportion_to_its_length() -> None:
    redactor = Redactor([Secret("/hunter2Zq9xLong")])
    seconds = []
    for count in (5_000, 40_000):
        began = time.process_time()
        assert redactor.redact(b"\\" * count + b"hunter2Zq9xLong").startswith(b"\\" * 4_900)
        seconds.append(time.process_time() - began)
    assert seconds[1] < 24 * seconds[0] + 0.5  # 64 times where it is the square
