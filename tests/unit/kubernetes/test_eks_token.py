from __future__ import annotations

import base64
import datetime
import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest

from longshore.errors import Precondition
from longshore.kubernetes import eks_token

SESSION = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="eu-central-1")
ARGUMENTS = ["--cluster-name", "shop-local", "--region=eu-central-1", "--endpoint-url", "http://127.0.0.1:4566"]


def address(token: str) -> Any:
    raw = token.removeprefix("k8s-aws-v1.")
    return urlsplit(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)).decode())


def test_a_token_is_what_aws_eks_get_token_makes() -> None:
    token, _ = eks_token.token("shop-production", "eu-central-1", None, SESSION)
    assert token.startswith("k8s-aws-v1.")
    assert "=" not in token
    url = address(token)
    assert (url.scheme, url.netloc, url.path) == ("https", "sts.eu-central-1.amazonaws.com", "/")
    query = parse_qs(url.query)
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]


def test_a_token_is_used_for_fourteen_minutes() -> None:
    _, expiry = eks_token.token("shop-local", "eu-central-1", "http://127.0.0.1:4566", SESSION)
    left = expiry - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=13, seconds=50) < left <= datetime.timedelta(minutes=14)


def test_chinas_regions_have_another_domain() -> None:
    token, _ = eks_token.token("shop", "cn-north-1", None, SESSION)
    assert address(token).netloc == "sts.cn-north-1.amazonaws.com.cn"


def test_no_credentials_is_a_precondition() -> None:
    class Nobody(boto3.Session):
        def get_credentials(self) -> None:  # type: ignore[override]
            return None

    with pytest.raises(Precondition, match="no AWS credentials"):
        eks_token.token("shop", "eu-central-1", None, Nobody(region_name="eu-central-1"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Count the tokens that are really made; each is valid until the time that stands last in the list."""
    times: list[float] = []

    def fresh(_: Any) -> tuple[str, float]:
        times.append(4e9)
        return json.dumps({"status": {"token": f"number {len(times)}"}}), times[-1]

    monkeypatch.setattr(eks_token, "_fresh", fresh)
    return times


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    token: str = json.loads(capsys.readouterr().out)["status"]["token"]
    return token


def test_a_token_that_holds_is_made_once(made: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert eks_token.main([*ARGUMENTS, "--cache", str(tmp_path / "new")], {}) == 0
        assert printed(capsys) == "number 1"
    (kept,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_without_a_cache_nothing_is_written(made: list[float], tmp_path: Path) -> None:
    for _ in range(2):
        eks_token.main(ARGUMENTS, {"HOME": str(tmp_path)})
    assert len(made) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_token_that_ended_is_made_again(
    made: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    eks_token.main([*ARGUMENTS, "--cache", str(tmp_path)], {})
    (kept,) = tmp_path.iterdir()
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "until": 1.0}))
    capsys.readouterr()
    eks_token.main([*ARGUMENTS, "--cache", str(tmp_path)], {})
    assert printed(capsys) == "number 2"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"until": "soon", "credential": "x"}', b'{"until": 9e9}', b"\xff"]
)
def test_a_damaged_cache_is_as_good_as_none(made: list[float], tmp_path: Path, content: bytes) -> None:
    eks_token.main([*ARGUMENTS, "--cache", str(tmp_path)], {})
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(content)
    assert eks_token.main([*ARGUMENTS, "--cache", str(tmp_path)], {}) == 0
    assert len(made) == 2


def test_a_cache_that_can_not_be_written_is_only_slower(made: list[float], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert eks_token.main([*ARGUMENTS, "--cache", str(tmp_path / "file")], {}) == 0


def test_other_credentials_have_another_token(made: list[float], tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("a")
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    arguments = [*ARGUMENTS, "--cache", str(tmp_path / "cache")]
    eks_token.main(arguments, environment)
    eks_token.main(arguments, environment)
    assert len(made) == 1
    credentials.write_text("longer")
    eks_token.main(arguments, environment)
    eks_token.main(arguments, {**environment, "AWS_PROFILE": "other"})
    eks_token.main(["--cluster-name", "other", *arguments[2:]], environment)
    assert len(made) == 4


@pytest.mark.parametrize(
    "argv", [[], ["--cluster-name", "x"], ["--region", "x", "--cluster-name"], ["--what", "x"], ["x"]]
)
def test_wrong_arguments_are_said_in_one_sentence(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert eks_token.main(argv, {}) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_a_failure_is_a_sentence_and_a_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Any) -> tuple[str, float]:
        raise Precondition("there are no AWS credentials", hint="set AWS_PROFILE")

    monkeypatch.setattr(eks_token, "_fresh", broken)
    assert eks_token.main(ARGUMENTS, {}) == 3
    assert capsys.readouterr().err.splitlines() == [
        "no EKS token for shop-local: there are no AWS credentials",
        "hint: set AWS_PROFILE",
    ]
