"""The application's Dockerfile goes on with a layer of ours, and is not touched."""

from __future__ import annotations

from pathlib import Path

from longshore.image import layer

THEIRS = '# syntax=docker/dockerfile:1\nFROM base AS last\nUSER 1000\nCMD ["serve"]  \n\n'


def test_the_last_stage_goes_on_with_the_module(tmp_path: Path) -> None:
    dockerfile, folder = tmp_path / "web.Dockerfile", tmp_path / "work"
    dockerfile.write_text(THEIRS)
    folder.mkdir()
    copy, folders = layer.write(folder, tmp_path, "web.Dockerfile")
    assert dockerfile.read_text() == THEIRS
    text = copy.read_text()
    assert text.startswith(THEIRS.rstrip())
    assert text.splitlines()[-2:] == [
        "COPY --from=longshore-contract sitecustomize.py /opt/longshore/",
        "ENV PYTHONPATH=/opt/longshore${PYTHONPATH:+:$PYTHONPATH}",
    ]
    module = folders["longshore-contract"] / "sitecustomize.py"
    assert module.read_bytes() == (layer.MODULE / "sitecustomize.py").read_bytes()
    assert module.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["web.Dockerfile"]


def test_what_one_dockerfile_leaves_out_its_copy_does_too(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(THEIRS)
    (tmp_path / "Dockerfile.dockerignore").write_text("docs\n")
    (tmp_path / "work").mkdir()
    copy, _ = layer.write(tmp_path / "work", tmp_path, "Dockerfile")
    assert copy.with_name("Dockerfile.dockerignore").read_text() == "docs\n"
