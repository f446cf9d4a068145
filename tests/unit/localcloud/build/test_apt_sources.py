from __future__ import annotations

from pathlib import Path

from localcloud.build.apt_sources import deb822, debian, mirrors, one_line

STANZAS = """\
# comment
Types: deb deb-src
# where it was made from
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main

Types: deb
URIs: http://other.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
"""


def lines(text: str, codename: str = "bookworm") -> list[str]:
    return [source.line for source in debian(deb822(text), codename, "bookworm")]


def test_stanzas_give_the_release_its_updates_and_its_security_pocket() -> None:
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert lines(STANZAS) == [
        f"deb {key} http://mirror.example/debian bookworm main",
        f"deb {key} http://mirror.example/debian bookworm-updates main",
        "deb http://mirror.example/debian-security/ bookworm-security main",
    ]


def test_a_key_written_into_the_stanza_is_left_out() -> None:
    stanza = (
        "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0\n"
    )
    assert lines(stanza) == ["deb http://m.example/debian bookworm main"]


def test_lines_are_read_with_options_and_comments() -> None:
    text = (
        "deb [arch=amd64 trusted=yes] http://m.example/debian bookworm main contrib # ours\n"
        "#deb http://old.example/debian bookworm main\n"
        "deb-src http://m.example/debian bookworm main\n"
        "deb\n"
    )
    found = [source.line for source in debian(one_line(text), "bookworm", "bookworm")]
    assert found == ["deb [trusted=yes] http://m.example/debian bookworm main"]


def test_repositories_that_only_use_debians_suite_names_are_not_debians() -> None:
    text = (
        "deb https://apt.vendor.example bookworm main\n"
        "deb https://containers.example/linux/debian bookworm stable\n"
        "deb https://database.example/debian bookworm-database main\n"
    )
    assert list(debian(one_line(text), "bookworm", "bookworm")) == []


def test_a_newer_debian_names_mirrors_that_carry_the_older_release() -> None:
    text = "deb http://m.example/debian trixie main\ndeb http://m.example/debian-security trixie-security main\n"
    found = [source.line for source in debian(one_line(text), "trixie", "bookworm")]
    assert found == [
        "deb http://m.example/debian bookworm main",
        "deb http://m.example/debian-security bookworm-security main",
    ]


def test_both_places_of_a_machine_are_read_and_a_repository_counts_once(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://m.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "again.list").write_text("deb http://m.example/debian bookworm main contrib\n")
    (tmp_path / "sources.list.d" / "debian.sources").write_text(STANZAS)
    (tmp_path / "sources.list.d" / "saved.sources.bak").write_text(STANZAS.replace("mirror", "saved"))
    os_release = tmp_path / "os-release"
    os_release.write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    found = mirrors("bookworm", apt=tmp_path, os_release=os_release)
    assert [source.uri for source in found][:2] == ["http://m.example/debian", "http://mirror.example/debian"]
    assert len(found) == 4


def test_a_machine_that_is_not_debian_names_no_mirror(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://m.example/debian bookworm main\n")
    (tmp_path / "os-release").write_text("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n")
    assert mirrors("bookworm", apt=tmp_path, os_release=tmp_path / "os-release") == ()
    assert mirrors("bookworm", apt=tmp_path, os_release=tmp_path / "none") == ()
