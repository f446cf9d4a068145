from __future__ import annotations

from pathlib import Path

import pytest

from application.settings import Settings, SettingsError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.read({}) == Settings()


def test_an_empty_value_counts_as_absent() -> None:
    assert Settings.read({"APP_WORKERS": "", "REVISION": " ", "APP_RUN_DIR": ""}) == Settings()


def test_the_defaults_trust_nobody_and_have_no_secret() -> None:
    settings = Settings.read({})
    assert (settings.proxy_hops, settings.secret_key, settings.public_metrics) == (0, None, False)
    assert settings.forwarded_allow_ips == ("127.0.0.1", "::1")


def test_every_value_is_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s" * 40 + "\n")
    settings = Settings.read(
        {
            "REVISION": "4f2a9c1",
            "IMAGE_DIGEST": "sha256:1",
            "POD_NAME": "app-1",
            "APP_LOG_LEVEL": "debug",
            "APP_WORKERS": "3",
            "APP_THREADS": "5",
            "APP_RUN_DIR": "/tmp",
            "APP_PROXY_HOPS": "2",
            "APP_TRUSTED_HOSTS": "Shop.example.com, .inner.test",
            "APP_FORWARDED_ALLOW_IPS": "10.0.0.0/8 ::1",
            "APP_PUBLIC_METRICS": "true",
            "APP_HSTS_SECONDS": "60",
            "APP_MAX_BODY_BYTES": "10",
            "APP_SECRET_KEY_FILE": str(key),
        }
    )
    assert settings == Settings(
        revision="4f2a9c1",
        digest="sha256:1",
        pod="app-1",
        log_level="DEBUG",
        workers=3,
        threads=5,
        run_dir=Path("/tmp"),
        proxy_hops=2,
        trusted_hosts=("shop.example.com", ".inner.test"),
        forwarded_allow_ips=("10.0.0.0/8", "::1"),
        public_metrics=True,
        hsts_seconds=60,
        max_body_bytes=10,
        secret_key="s" * 40,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_WORKERS", "0"),
        ("APP_WORKERS", "two"),
        ("APP_WORKERS", "1_0"),
        ("APP_WORKERS", "9" * 5000),
        ("APP_THREADS", "-1"),
        ("APP_THREADS", "nan"),
        ("APP_PROXY_HOPS", "1.5"),
        ("APP_PROXY_HOPS", "99"),
        ("APP_HSTS_SECONDS", "1e9"),
        ("APP_MAX_BODY_BYTES", "1MB"),
        ("APP_LOG_LEVEL", "LOUD"),
        ("APP_PUBLIC_METRICS", "maybe"),
        ("APP_RUN_DIR", "relative/path"),
        ("APP_TRUSTED_HOSTS", "https://shop.example.com"),
        ("APP_TRUSTED_HOSTS", "shop.example.com:8443"),
        ("APP_TRUSTED_HOSTS", "*"),
        ("APP_FORWARDED_ALLOW_IPS", "*"),
        ("APP_FORWARDED_ALLOW_IPS", "10.0.0.1/8"),
        ("APP_SECRET_KEY_FILE", "/nowhere/key"),
    ],
)
def test_an_invalid_value_is_refused_in_one_sentence_that_names_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.read({name: value})
    sentence = str(refusal.value)
    assert sentence.startswith(name)
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_misspelt_setting_is_refused_with_the_right_name() -> None:
    with pytest.raises(SettingsError, match=r"APP_TRUSTED_HOST is .* did you mean APP_TRUSTED_HOSTS\?"):
        Settings.read({"APP_TRUSTED_HOST": "shop.example.com"})


def test_variables_of_other_programs_are_left_alone() -> None:
    assert Settings.read({"APP_ENV": "x", "APP_PORT": "tcp://10.0.0.1:80", "APPDATA": "x"}) == Settings()


def test_a_short_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hunter2")
    with pytest.raises(SettingsError) as refusal:
        Settings.read({"APP_SECRET_KEY_FILE": str(key)})
    assert "shorter than 32" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_a_key_that_is_not_text_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"\xff" * 40)
    with pytest.raises(SettingsError, match="it is not text"):
        Settings.read({"APP_SECRET_KEY_FILE": str(key)})


def test_the_key_is_not_in_the_representation() -> None:
    word = "plain-to-see"
    assert word not in repr(Settings(secret_key=word))
