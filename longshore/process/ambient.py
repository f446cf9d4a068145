"""Which variables of the shell a program gets: a few that any program may need, those that its command declares.

All others are left out. A variable that was set for something else must not change what a tool does (TF_WORKSPACE,
PYTEST_ADDOPTS, KUBECTL_EXTERNAL_DIFF, GIT_INDEX_FILE, GOFLAGS), and no tool sees a secret that is not meant for it.
What a command takes tells it how to reach something. AWS's variables are with the environment (`aws_env`), since a
local one has its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY")
DIRECT = "NO_PROXY"
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
LANGUAGE = ("LANG", "LANGUAGE", "LC_*", "TZ")
BOTH = tuple(name for upper in (*PROXIES, DIRECT) for name in (upper, upper.lower()))
BASE = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_*"),
    *("LD_LIBRARY_PATH", *LANGUAGE, *CERTIFICATES, *BOTH),  # without the first, some Pythons do not start
)
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def chosen(environ: Mapping[str, str], takes: Iterable[str], direct: Iterable[str] = ()) -> dict[str, str]:
    """Return what of ENVIRON a program gets that TAKES (names; `*` stands for any text) besides the base.

    No proxy is used for this machine and for DIRECT, which are names or addresses of hosts.
    """
    patterns = (*BASE, *takes)
    exact = {name for name in patterns if "*" not in name}
    others = [name for name in patterns if "*" in name]
    env = {
        name: value
        for name, value in environ.items()
        if name in exact or any(fnmatchcase(name, pattern) for pattern in others)
    }
    if any(env.get(name) for upper in PROXIES for name in (upper, upper.lower())):
        given = [host.strip() for name in (DIRECT, DIRECT.lower()) for host in env.get(name, "").split(",")]
        hosts = ",".join(dict.fromkeys(filter(None, (*given, *LOOPBACK, *direct))))
        env |= dict.fromkeys((DIRECT, DIRECT.lower()), hosts)
    return env
