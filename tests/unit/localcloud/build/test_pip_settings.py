from __future__ import annotations

from pathlib import Path

from localcloud.build.pip_settings import render
from longshore.settings.host import Host


def written(folder: Path, *texts: str) -> list[Path]:
    files = [folder / f"{number}.conf" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return files


def test_a_machine_without_settings_needs_no_file(tmp_path: Path) -> None:
    assert (
        render(Host.read({"HOME": "/nonexistent"}), iter(written(tmp_path, "[global]\nbreak-system-packages = true\n")))
        == ""
    )


def test_variables_win_over_files_and_later_files_over_earlier_ones(tmp_path: Path) -> None:
    files = written(
        tmp_path,
        "[global]\nindex-url = https://one.example/simple\ntimeout = 5\n",
        "[install]\nindex-url = https://two.example/simple\ntrusted-host =\n    a.example\n    b.example\n",
    )
    assert render(Host.read({"PIP_TIMEOUT": "60"}), iter(files)) == (
        "[global]\nindex-url = https://two.example/simple\ntimeout = 60\ntrusted-host = a.example b.example\n"
    )


def test_paths_of_this_machine_are_left_out_and_its_bundle_is_that_of_the_image(tmp_path: Path) -> None:
    host = Host.read({"PIP_FIND_LINKS": "/srv/wheels", "PIP_CERT": "/srv/ca.pem", "PIP_CACHE_DIR": "/srv/cache"})
    text = render(host, iter(()))
    assert text == "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n"


def test_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    files = written(tmp_path, "index-url = outside of a section\n", "[global]\nproxy = http://proxy.example:3128\n")
    assert render(Host.read({}), iter(files)) == "[global]\nproxy = http://proxy.example:3128\n"
