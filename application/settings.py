"""The settings of the service: environment variables, types, limits and defaults."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Self

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
UNSET = "unset"
KEY_MINIMUM = 32
HOST = re.compile(r"\.?[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class SettingsError(ValueError):
    """A setting is invalid, and the service must not start; the message is one sentence."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one process. Only `read` reads the environment."""

    revision: str = UNSET
    digest: str = UNSET
    pod: str = UNSET
    log_level: str = "INFO"
    workers: int = 1
    threads: int = 8
    run_dir: Path | None = None
    """Holds the draining file and the counts that workers share; None outside gunicorn."""
    proxy_hops: int = 0
    """How many proxies add to X-Forwarded-For; with 0, no forwarded header is trusted."""
    trusted_hosts: tuple[str, ...] = ()
    """Host names to serve, `.name` with its subdomains; empty means any."""
    forwarded_allow_ips: tuple[str, ...] = ("127.0.0.1", "::1")
    """Peers whose scheme header gunicorn trusts."""
    public_metrics: bool = False
    """Whether /metrics is also available through a proxy."""
    hsts_seconds: int = 31_536_000
    max_body_bytes: int = 1_048_576
    secret_key: str | None = field(default=None, repr=False)
    """Signs sessions. Without a key, using a session is an error."""

    @property
    def draining_file(self) -> Path | None:
        """Exists while the pod is about to stop; the preStop hook creates it."""
        return self.run_dir / "draining" if self.run_dir else None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Read ENVIRONMENT. Raises SettingsError at the first invalid value."""
        values = _Values(environment)
        settings = cls(
            revision=values.text("REVISION", UNSET),
            digest=values.text("IMAGE_DIGEST", UNSET),
            pod=values.text("POD_NAME", UNSET),
            log_level=values.choice("APP_LOG_LEVEL", cls.log_level, LOG_LEVELS),
            workers=values.integer("APP_WORKERS", cls.workers, 1, 64),
            threads=values.integer("APP_THREADS", cls.threads, 1, 256),
            run_dir=values.directory("APP_RUN_DIR"),
            proxy_hops=values.integer("APP_PROXY_HOPS", cls.proxy_hops, 0, 8),
            trusted_hosts=values.hosts("APP_TRUSTED_HOSTS"),
            forwarded_allow_ips=values.networks("APP_FORWARDED_ALLOW_IPS") or cls.forwarded_allow_ips,
            public_metrics=values.flag("APP_PUBLIC_METRICS", default=cls.public_metrics),
            hsts_seconds=values.integer("APP_HSTS_SECONDS", cls.hsts_seconds, 0, 63_072_000),
            max_body_bytes=values.integer("APP_MAX_BODY_BYTES", cls.max_body_bytes, 0, 2**30),
            secret_key=values.secret("APP_SECRET_KEY_FILE"),
        )
        values.refuse_misspelt()
        return settings


class _Values:
    """Typed access to a mapping. An empty value counts as absent."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._known: set[str] = set()

    def refuse_misspelt(self) -> None:
        """Refuse misspelt names, which would otherwise be ignored. Other programs' APP_ variables are left alone."""
        for name in sorted(self._environment.keys() - self._known):
            if name.startswith("APP_") and (near := get_close_matches(name, self._known, n=1, cutoff=0.85)):
                raise SettingsError(f"{name} is not a setting; did you mean {near[0]}?")

    def text(self, name: str, default: str) -> str:
        self._known.add(name)
        return self._environment.get(name, "").strip() or default

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default).upper()
        if value not in choices:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name, str(default))
        # int() alone would also accept "1_000" and "²".
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise SettingsError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
        return int(text)

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.text(name, str(default)).lower()
        if text not in {"true", "false", "1", "0"}:
            raise SettingsError(f"{name} must be true or false, not {text!r}.")
        return text in {"true", "1"}

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word for word in re.split(r"[,\s]+", self.text(name, "")) if word)

    def hosts(self, name: str) -> tuple[str, ...]:
        hosts = tuple(word.lower() for word in self.words(name))
        for host in hosts:
            if not HOST.fullmatch(host):
                raise SettingsError(f"{name} must hold host names without scheme or port, not {host!r}.")
        return hosts

    def networks(self, name: str) -> tuple[str, ...]:
        for word in self.words(name):
            try:
                ipaddress.ip_network(word)
            except ValueError:
                raise SettingsError(f"{name} must hold addresses or networks, not {word!r}.") from None
        return self.words(name)

    def directory(self, name: str) -> Path | None:
        text = self.text(name, "")
        if text and not Path(text).is_absolute():
            raise SettingsError(f"{name} must be an absolute path, not {text!r}.")
        return Path(text) if text else None

    def secret(self, name: str) -> str | None:
        path = self.text(name, "")
        if not path:
            return None
        try:
            key = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "it is not text"
            raise SettingsError(f"{name} names {path}, which cannot be read: {reason}.") from None
        if len(key) < KEY_MINIMUM:
            raise SettingsError(f"{name} names {path}, whose key is shorter than {KEY_MINIMUM} characters.")
        return key
