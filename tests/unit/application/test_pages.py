from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

import application
from application import pages

DIGEST = "sha256:" + "0123456789abcdef" * 4
FOLDER = Path(application.__file__).parent


def test_the_page_shows_revision_digest_and_pod(client: FlaskClient) -> None:
    answer = client.get("/")
    text = re.sub(r"<[^>]+>", "", answer.text)
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert "4f2a9c1" in text
    assert DIGEST in text
    assert "app-1" in text


def test_the_page_paints_the_first_twelve_digits_of_the_digest(client: FlaskClient) -> None:
    assert re.findall(r'class="box-(.)"', client.get("/").text) == list("0123456789ab")


@pytest.mark.parametrize("digest", ["unset", "none", "sha256:short", "sha256:" + "G" * 64])
def test_the_page_shows_anything_but_a_digest_unchanged(make: Callable[..., Flask], digest: str) -> None:
    text = make(digest=digest).test_client().get("/").text
    assert f"<dd>{digest}</dd>" in text
    assert text.count('class="empty"') == 12


def test_the_page_escapes_its_settings(make: Callable[..., Flask]) -> None:
    assert "<script" not in make(revision="<script>alert(1)</script>").test_client().get("/").text


def test_no_template_uses_what_the_content_policy_forbids() -> None:
    for template in (FOLDER / "templates").iterdir():
        assert not re.search(r"<style|<script|\sstyle=|\son\w+=|https?://", template.read_text(encoding="utf-8"))


def test_all_links_of_the_page_work(client: FlaskClient) -> None:
    links = re.findall(r'(?:href|src)="([^"]+)"', client.get("/").text)
    assert "/static/style.css" in links
    assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_version_is_json_with_three_keys(client: FlaskClient) -> None:
    assert client.get("/version").json == {"revision": "4f2a9c1", "digest": DIGEST, "pod": "app-1"}


def test_the_page_is_never_stored(client: FlaskClient) -> None:
    assert client.get("/").headers["Cache-Control"] == "no-store"


def test_an_unchanged_static_file_is_not_sent_twice(client: FlaskClient) -> None:
    first = client.get("/static/style.css")
    again = client.get("/static/style.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")


def test_a_static_file_changed_with_equal_size_and_time_is_sent_again(
    make: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    client, file = make().test_client(), tmp_path / "page.css"
    file.write_text("a { color: #111 }")
    os.utime(file, (0, 0))
    first = client.get("/static/page.css")
    file.write_text("a { color: #222 }")
    os.utime(file, (0, 0))
    again = client.get("/static/page.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.text) == (200, "a { color: #222 }")


@pytest.mark.parametrize("name", ["../settings.py", "%2e%2e/settings.py", "nothing.css", "..%2f..%2fetc/passwd"])
def test_nothing_outside_the_static_folder_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404
