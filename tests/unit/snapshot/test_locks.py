"""What says which releases an application depends on, of whatever kind it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.markers import Marker

from longshore.errors import BadInput
from longshore.snapshot import locks, requirements
from longshore.snapshot.snapshot import Snapshot
from tests.unit.sources import snapshot_of, written

HASH = "a" * 64
UV = """\
version = 1
[[package]]
name = "flask"
version = "2.2.5"
source = { registry = "https://index.example/simple" }
[[package]]
name = "shop"
version = "0.1.0"
source = { editable = "." }
[[package]]
name = "ours"
version = "1.0"
source = { git = "https://example.com/ours?rev=1#2" }
"""
POETRY = '[[package]]\nname = "flask"\nversion = "2.2.5"\n[[package]]\nname = "click"\nversion = "8.1.3"\n'


def sources(folder: Path, **files: str) -> Snapshot:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return snapshot_of(folder)


def test_a_requirements_file_is_read_with_all_that_it_includes(tmp_path: Path) -> None:
    snapshot = sources(
        tmp_path,
        **{
            "reqs/web.txt": f"-r 'base.txt'\n-c \"../pins.txt\"\nflask==2.2.5 \\\n    --hash=sha256:{HASH}  # shop\n",
            "reqs/base.txt": "--requirement=web.txt\n--index-url https://example.com/simple\nclick==8.1.3\n",
            "pins.txt": "-r more.txt\nwerkzeug==2.2.3\n",
            "more.txt": "jinja2==3.1.2\n",
        },
    )
    found = requirements.read("reqs/web.txt", snapshot)
    pinned = f"flask==2.2.5      --hash=sha256:{HASH}"
    assert found.lines == ("--index-url https://example.com/simple", "click==8.1.3", pinned)
    assert found.constraints == ("jinja2==3.1.2", "werkzeug==2.2.3")
    assert found.project is None
    assert found.files == ("reqs/web.txt", "reqs/base.txt", "pins.txt", "more.txt")


@pytest.mark.parametrize(
    ("line", "extras"),
    [("-e .", ()), (".", ()), ("-e .[test, dev]", ("test", "dev")), ("./", ()), ("--editable=.", ())],
)
def test_the_project_itself_is_no_release(tmp_path: Path, line: str, extras: tuple[str, ...]) -> None:
    found = requirements.read("a.txt", sources(tmp_path, **{"a.txt": f"{line}\nflask\n"}))
    assert (found.lines, found.project) == (("flask",), extras)


def test_a_folder_of_the_repository_is_read_as_well(tmp_path: Path) -> None:
    found = requirements.read("a.txt", sources(tmp_path, **{"a.txt": "-e ./libs/ours\n", "libs/ours/a.py": ""}))
    assert (found.lines, found.files) == (("./libs/ours",), ("a.txt", "libs/ours/a.py"))


def test_what_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.txt includes b\.txt, which the sources do not have"):
        requirements.read("a.txt", sources(tmp_path, **{"a.txt": "-r b.txt\n"}))


def test_a_pipfile_has_what_serves_and_what_its_authors_install() -> None:
    text = json.dumps({"default": {"flask": {"version": "==2.2.5"}}, "develop": {"pytest": {"version": "==7.4.4"}}})
    assert locks.converted("Pipfile.lock", text) == "flask==2.2.5 \n"
    assert locks.converted("Pipfile.lock", text, development=True) == "pytest==7.4.4 \nflask==2.2.5 \n"


def test_the_releases_of_a_tools_lock_are_read_without_the_tool() -> None:
    assert locks.locked("uv.lock", UV) == "flask==2.2.5\nours @ https://example.com/ours?rev=1#2"
    assert locks.locked("poetry.lock", POETRY) == "flask==2.2.5\nclick==8.1.3"


@pytest.mark.parametrize(
    ("lock", "text"),
    [("backend/uv.lock", UV), ("backend/Pipfile.lock", '{"default": {"flask": {"version": "==2.2.5"}}}')],
)
def test_a_lock_below_the_top_pins_what_it_would_at_the_top(tmp_path: Path, lock: str, text: str) -> None:
    assert "flask==2.2.5" in locks.pins(lock, written(tmp_path, {lock: text}))


def test_a_lock_that_says_where_from_in_no_words_is_read_all_the_same(tmp_path: Path) -> None:
    text = '[[package]]\nname = "a"\nsource = { type = [1] }\n'
    assert locks.elsewhere("uv.lock", written(tmp_path, {"uv.lock": text})) == (frozenset({"[1]"}), ())


@pytest.mark.parametrize("text", ["[", "package = 1", "[[package]]\nversion = 1", "package = [1]"])
@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml", "Pipfile.lock"])
def test_a_damaged_lock_is_a_sentence(name: str, text: str) -> None:
    read = locks.converted if name in locks.CONVERTED else locks.locked
    if name == "pylock.toml":
        text = text.replace("package", "packages")
    for damaged in (text, "x = " + "[" * 100_000):
        with pytest.raises(BadInput, match="cannot be read as a lock"):
            read(name, damaged)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_a_requirements_file_is_read_in_each_encoding_that_pip_reads(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    text = f"{mark}flask==2.2.5\r\nclick==8.1.3 \\\r\n    --hash=sha256:{HASH}\r\n".encode(encoding)
    found = requirements.read("a.txt", written(tmp_path, {"a.txt": text}))
    assert [line.split() for line in found.lines] == [["flask==2.2.5"], ["click==8.1.3", f"--hash=sha256:{HASH}"]]


def test_a_file_at_an_address_is_left_to_who_installs(tmp_path: Path) -> None:
    lines = ("-c https://example.com/c.txt", "--requirement=https://example.com/r.txt")
    found = requirements.read("a.txt", written(tmp_path, {"a.txt": "\n".join((*lines, "flask"))}))
    assert (found.lines, found.files) == ((*lines, "flask"), ("a.txt",))


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ({"git": "https://example.com/ours.git", "ref": "abc"}, "ours @ git+https://example.com/ours.git@abc"),
        ({"git": "git+https://example.com/a", "extras": ["x"]}, "ours[x] @ git+https://example.com/a"),
        (
            {"git": "https://example.com/a", "ref": "1", "subdirectory": "b"},
            "ours @ git+https://example.com/a@1#subdirectory=b",
        ),
        ({"file": "https://example.com/ours-1.zip"}, "ours @ https://example.com/ours-1.zip"),
        ({"path": "./libs/ours", "editable": True}, "./libs/ours"),
        ({"path": "libs/ours", "markers": "python_version > '3'"}, "./libs/ours ; python_version > '3'"),
        ({"path": ".", "editable": True}, "."),
    ],
)
def test_a_pipfile_has_what_comes_from_elsewhere_than_an_index(package: dict[str, object], line: str) -> None:
    text = json.dumps({"default": {"ours": package}})
    assert locks.converted("Pipfile.lock", text).strip() == line


@pytest.mark.parametrize(
    ("package", "line"),
    [
        (
            'vcs = { type = "git", url = "https://example.com/a", commit-id = "abc" }',
            "ours @ git+https://example.com/a@abc",
        ),
        (
            f'archive = {{ url = "https://example.com/a.zip", hashes = {{ sha256 = "{HASH}" }} }}',
            f"ours @ https://example.com/a.zip --hash=sha256:{HASH}",
        ),
        ('directory = { path = "libs/ours" }', "./libs/ours"),
        (f'version = "1"\nsdist = {{ name = "a", hashes = {{ sha512 = "{HASH}" }} }}', f"ours==1 --hash=sha512:{HASH}"),
    ],
)
def test_a_pylock_has_what_comes_from_elsewhere_than_an_index(package: str, line: str) -> None:
    text = f'[[packages]]\nname = "ours"\n{package}\n'
    assert " ".join(locks.converted("pylock.toml", text).split()) == line


@pytest.mark.parametrize(
    ("lock", "package", "kind"),
    [
        ("uv.lock", 'source = { git = "https://example.com/a?rev=1#2" }', "git"),
        ("uv.lock", 'source = { editable = "libs/ours" }', "editable"),
        ("uv.lock", 'source = { registry = "https://example.com/simple" }', ""),
        ("uv.lock", 'source = { virtual = "." }', ""),
        ("poetry.lock", '[package.source]\ntype = "directory"\nurl = "libs/ours"', "directory"),
        ("poetry.lock", '[package.source]\ntype = "legacy"\nurl = "https://example.com/simple"', ""),
        ("pdm.lock", 'path = "./libs/ours"', "path"),
        ("pdm.lock", 'git = "https://example.com/a"', "git"),
    ],
)
def test_a_tools_lock_says_what_comes_from_elsewhere(tmp_path: Path, lock: str, package: str, kind: str) -> None:
    text = f'[[package]]\nname = "ours"\nversion = "1"\n{package}\n'
    snapshot = written(tmp_path, {lock: text, "libs/ours/a.py": "", "libs/ours2/a.py": ""})
    kinds, files = locks.elsewhere(lock, snapshot)
    assert kinds == ({kind} if kind else set())
    assert files == (("libs/ours/a.py",) if kind in locks.LOCAL else ())


@pytest.mark.parametrize(
    "line", ["libs/ours", "-e libs/ours", "file:./libs/ours", "vendor/ours-1-py3-none-any.whl", "ours-1.zip"]
)
def test_what_lies_in_the_repository_decides_what_is_installed(tmp_path: Path, line: str) -> None:
    path = line.removeprefix("-e ").removeprefix("file:./")
    file = path if "." in path else f"{path}/setup.py"
    found = requirements.read("a.txt", written(tmp_path, {"a.txt": f"{line}\nflask\n", file: "", "flask/a.py": ""}))
    assert (found.lines, found.files, found.local) == ((f"./{path}", "flask"), ("a.txt", file), True)


@pytest.mark.parametrize(
    ("marker", "production", "development"),
    [
        ('"default" in dependency_groups', True, True),
        ("'dev' in dependency_groups", False, True),
        ('"dev" not in dependency_groups', True, False),
        ("'web' in extras", False, False),
        ("python_version > '3' and ('default' in dependency_groups or 'web' in extras)", True, True),
    ],
)
def test_a_pylocks_groups_are_those_that_are_installed(marker: str, production: bool, development: bool) -> None:
    text = f"default-groups = ['default']\n[[packages]]\nname = 'a'\nversion = '1'\nmarker = \"\"\"{marker}\"\"\"\n"
    for grown, expected in ((False, production), (True, development)):
        line = locks.converted("pylock.toml", text, development=grown)
        assert Marker(line.partition(";")[2].strip()).evaluate() is expected


def test_a_requirements_file_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "reqs").mkdir()
    snapshot = written(
        tmp_path, {"reqs/requirements.txt": "../requirements/prod.txt", "requirements/prod.txt": "flask\n"}
    )
    linked = snapshot.entries["reqs/requirements.txt"].replace("100644", "120000")
    snapshot = replace(snapshot, entries={**snapshot.entries, "reqs/requirements.txt": linked})
    found = requirements.read("reqs/requirements.txt", snapshot)
    assert (found.lines, found.files) == (("flask",), ("reqs/requirements.txt", "requirements/prod.txt"))


@pytest.mark.parametrize("line", ["--find-links ./wheels", "-f wheels/", "--find-links=wheels"])
def test_a_folder_of_wheels_decides_what_is_installed(tmp_path: Path, line: str) -> None:
    found = requirements.read("a.txt", written(tmp_path, {"a.txt": f"{line}\nflask\n", "wheels/ours-1.whl": ""}))
    assert (found.lines, found.local) == (("--find-links ./wheels", "flask"), True)
    assert found.files == ("a.txt", "wheels/ours-1.whl")
    other = requirements.read("a.txt", written(tmp_path, {"a.txt": "--find-links https://example.com/wheels\n"}))
    assert (other.lines, other.local) == (("--find-links https://example.com/wheels",), False)


@pytest.mark.parametrize("line", ["--find-links .", "-f ./", "-f."])
def test_the_top_may_be_the_folder_of_wheels(tmp_path: Path, line: str) -> None:
    found = requirements.read("a.txt", written(tmp_path, {"a.txt": f"{line}\nflask\n", "ours-1.whl": "", "b.py": ""}))
    assert (found.lines, found.project) == (("--find-links ./.", "flask"), None)
    assert (found.files, found.local) == (("a.txt", "ours-1.whl"), True)
