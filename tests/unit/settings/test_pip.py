"""What pip on this machine is told about packages, and what uv is told of it."""

from __future__ import annotations

from pathlib import Path

from longshore.process.command import Secret
from longshore.settings import pip
from longshore.settings.host import Host

URL = "https://somebody:open-sesame@pypi.example/simple"  # pragma: allowlist secret


def test_variables_win_over_files(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "none"]
    files[0].write_text("[global]\nindex-url = https://a\nextra-index-url =\n  https://b\n  https://c\n")
    files[1].write_text("[install]\nindex-url = https://d\n")
    host = Host.read({"PIP_DEFAULT_TIMEOUT": "9", "PIP_FIND_LINKS": "/wheels"})
    assert pip.options(host, files) == {
        "index-url": "https://d",
        "extra-index-url": "https://b https://c",
        "default-timeout": "9",
        "timeout": "9",
        "find-links": "/wheels",
    }


def test_uv_gets_what_pip_has_where_nobody_tells_it_otherwise() -> None:
    values = {"index-url": URL, "extra-index-url": "https://b https://c", "find-links": "/w /x", "retries": "1"}
    assert pip.for_uv(values, {}) == {
        "UV_DEFAULT_INDEX": Secret(URL),
        "UV_EXTRA_INDEX_URL": "https://b https://c",
        "UV_FIND_LINKS": "/w,/x",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    told = {"UV_INDEX_URL": "https://u", "UV_FIND_LINKS": "/y", "UV_INDEX": "x"}
    assert pip.for_uv(values, told) == {}


def test_a_file_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].write_text("[install]\nindex_url = https://a\n[global]\nTRUSTED_HOST = a\n")
    files[1].write_text("[global]\nindex-url = https://b\nno-index =\n")
    assert pip.options(Host.read({}), files) == {"index-url": "https://a", "trusted-host": "a"}
