"""What a builder is sent: the snapshot without what the ignore file leaves out, as Docker reads it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.snapshot import context
from tests.unit.sources import snapshot_of

OURS = "*\n!application\n!requirements/application.txt\n**/__pycache__\n**/*.pyc\n"


@pytest.mark.parametrize(
    ("ignored", "name", "kept"),
    [
        ("", "a/b.py", True),
        (OURS, "application/a.py", True),
        (OURS, "application/deep/a.html", True),
        (OURS, "application/__pycache__/a.py", False),
        (OURS, "application/deep/a.pyc", False),
        (OURS, "requirements/application.txt", True),
        (OURS, "requirements/dev.txt", False),
        (OURS, "config.py", False),
        ("# config.py\n\n  docs  \n", "config.py", True),
        ("# config.py\n\n  docs  \n", "docs/a.md", False),
        ("/docs/\n", "docs/a.md", False),
        ("./docs\n", "docs/a.md", False),
        ("docs\n", "src/docs/a.md", True),
        ("**/docs\n", "src/docs/a.md", False),
        ("*.md\n!README.md\n", "README.md", True),
        ("*.md\n!README.md\n", "NEWS.md", False),
        ("*.md\n", "docs/NEWS.md", True),
        ("!README.md\n*.md\n", "README.md", False),
        ("docs/*/a.md\n", "docs/x/a.md", False),
        ("docs/*/a.md\n", "docs/x/y/a.md", True),
        ("docs/**/a.md\n", "docs/x/y/a.md", False),
        ("file.?\n", "file.c", False),
        ("file.[ch]\n", "file.c", False),
        ("file.[^ch]\n", "file.c", True),
        ("foo[\\]]\n", "foo]", False),
        ("foo[\\]]\n", "foo\\", True),
        ("foo[^\\]x]\n", "foo]", True),
        ("foo[a\\-c]\n", "foob", True),
        ("foo[[&&|]\n", "foo[", False),
        ("*a*b?c\n", "abaxbbcc", False),
        ("*a*b?c\n", "abaxbc", True),
        ("*a**/c\n", "xaac", False),
        ("**a*b\n", "a/ab", False),
        ("*a**b\n", "xa/y/ab", False),
        ("*[^a]*\n", "bb/a", False),
        ("a+b\n", "a+b", False),
        ("\\#a\n", "#a", False),
        ("docs/../src\n", "src/a.py", False),
        ("**\n!src/a.py\n", "src/a.py", True),
    ],
)
def test_an_ignore_file_is_read_as_docker_reads_it(ignored: str, name: str, kept: bool) -> None:
    assert context.selector(ignored)(name) is kept


@pytest.mark.parametrize("pattern", ["[z-a]", "[\\]", "[a--b]", "[^]", "[a-\\]", "[]", "[-a]*", "a[", "!x["])
def test_what_docker_takes_for_no_pattern_is_named_with_its_line(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "web.dockerignore").write_text(f"# ours\n\n{pattern}\n")
    with pytest.raises(BadInput, match=r"^web\.dockerignore:3: ") as refused:
        snapshot_of(tmp_path).context("web")
    assert pattern in refused.value.sentence


@pytest.mark.parametrize("pattern", ["**/" * 30 + "x", "*a" * 30 + "b", "**a" * 30 + "b"])
def test_many_stars_take_no_seconds(pattern: str) -> None:
    name, began = f"{'a' * 60}/" * 8 + "a" * 60, time.monotonic()
    assert context.selector(f"{pattern}\n")(name)
    assert time.monotonic() - began < 1


def test_an_ignore_file_may_belong_to_one_dockerfile() -> None:
    names = {".dockerignore", "docker/web.Dockerfile.dockerignore", "Dockerfile"}
    assert context.ignore_file("Dockerfile", names) == ".dockerignore"
    assert context.ignore_file("docker/web.Dockerfile", names) == "docker/web.Dockerfile.dockerignore"
    assert context.ignore_file("Dockerfile", set()) == ""


def test_what_decides_the_image_is_what_the_builder_is_sent(tmp_path: Path) -> None:
    for name in ("app.py", "config.py", "Dockerfile", "docs/a.md", "tests/test_a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert len(snapshot_of(tmp_path).context("Dockerfile")) == 5
    (tmp_path / ".dockerignore").write_text("*\n!*.py\n")
    decides = snapshot_of(tmp_path).context("Dockerfile")
    assert decides == (".dockerignore", "Dockerfile", "app.py", "config.py")


def test_where_longshore_makes_the_dockerfile_settings_of_javascripts_tools_are_kept() -> None:
    kept = context.selector(context.GENERATED)
    needed = [
        ".npmrc",
        ".yarnrc.yml",
        ".yarn/releases/yarn-4.9.1.cjs",
        ".babelrc",
        ".postcssrc.json",
        ".browserslistrc",
    ]
    needed += [".parcelrc", ".swcrc", ".pnpmfile.cjs"]
    assert [name for name in needed if not kept(name)] == []
    others = [
        ".env",
        ".envrc",
        ".git/config",
        ".github/a.yml",
        ".gitignore",
        ".coveragerc",
        ".yarn/cache/a.zip",
        ".pylintrc",
    ]
    assert [name for name in others if kept(name)] == []
