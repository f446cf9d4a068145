"""The report in a browser: on a desktop and a phone, light and dark, and printed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from longshore.report import page
from longshore.report.document import Change, Document, Failed, Finding, Image, Layer, Pod, Probe, Step, Suite

# Measures the page and leaves the answers where --dump-dom finds them. The page is in a frame, because no window can be
# narrower than 500 pixels.
QUESTIONS = """<script>addEventListener("load", () => {
  const seen = matchMedia("(prefers-color-scheme: dark)").matches, root = document.documentElement;
  const bars = [...document.querySelectorAll(".bar")].map(bar => {
    const a = bar.getBoundingClientRect(), b = bar.parentElement.getBoundingClientRect();
    return {inside: a.left >= b.left - 1 && a.right <= b.right + 4, width: a.width};
  });
  const labels = [...document.querySelectorAll(".bar em")].map(em => em.getBoundingClientRect());
  top.document.documentElement.dataset.answers = JSON.stringify({
    dark: seen, width: innerWidth, overflow: root.scrollWidth - innerWidth, bars,
    outside: labels.filter(l => l.left < 0 || l.right > innerWidth).length,
    cut: [...document.querySelectorAll(".scroll")].filter(b => b.scrollWidth > b.clientWidth).map(b => b.innerText),
    ink: getComputedStyle(document.body).color, page: getComputedStyle(document.body).backgroundColor,
  });
});</script>"""
FRAME = (
    '<!doctype html><body style="margin: 0">'
    '<iframe style="border: 0; width: {width}px; height: 1600px" srcdoc="{page}"></iframe>'
)
WIDTHS = {"desk": 1100, "phone": 375}
EVIDENCE = "logs and events are in /builds/a-team/services/shop/.longshore/report/evidence/release-12"
RESULTS = {
    "image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/app@sha256:c9f93297d366…",
    "release": "pod app-5db55bd97-kccrv keeps crashing: container app exited with 3; release 11 (787ec83f9b84) serves"
    " again, verified",
}


def chromium(*words: str, folder: Path) -> str:
    program = shutil.which("chromium")
    assert program, "chromium is not on the PATH: `apt-get install chromium`"
    argv = [
        program,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
        *words,
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.fixture
def report(tmp_path: Path) -> Path:
    spans = {"lint": (0, 3), "tests": (0, 41), "infra": (2, 60), "image": (60, 61.5), "release": (61.5, 95)}
    needs = {"image": ("infra",), "release": ("image", "lint", "tests")}
    run = Document(
        command="deploy -e production",
        started="2026-11-25T10:00:00+00:00",
        seconds=95.0,
        exit_code=6,
        cores=2,
        facts={"url": "https://shop.example", "digest": "sha256:" + "ab" * 32},
        failure=Failed(step="release", sentence="pod app-1 crashed", hint=EVIDENCE, detail="Traceback\n" + "x" * 300),
        steps=tuple(
            Step(
                name=name,
                title=f"do {name}",
                needs=needs.get(name, ()),
                outcome="failed" if name == "release" else "ran",
                began=began,
                ended=ended,
                critical=name in ("infra", "image", "release"),
                reason=RESULTS.get(name, "clean"),
                log=f"../logs/{name}.log",
            )
            for name, (began, ended) in spans.items()
        ),
        findings=(
            Finding(
                tool="bandit",
                severity="high",
                file="application/a/very/long/path/to/a/module.py",
                line=3,
                text="B602: shell",
            ),
        ),
        suites=(Suite(name="service", tests=700, failed=0, skipped=1, seconds=41, covered=0.97),),
        plan=(
            Change(
                address='aws_route53_record.app["shop.example"]',
                action="replace",
                why="name",
                details=('name: "a" → "b"',),
            ),
        ),
        image=Image(digest="sha256:" + "ab" * 32, layers=(Layer(bytes=31_000_000, made_by="RUN " + "pip " * 40),)),
        pods=(Pod(name="app-7dd75d7578-5n8rw", node="node-1", since="2026-11-25T10:01:10Z", restarts=1),),
        probe=Probe(sent=4000, failed=3, p50=2.1, p99=31.0),
    )
    (tmp_path / "index.html").write_text(page.render(run))
    return tmp_path


def answers(report: Path, size: str, scheme: str) -> dict[str, Any]:
    asked = report / "asked.html"
    text = (report / "index.html").read_text().replace("</body>", f"{QUESTIONS}</body>")
    allowed = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    assert allowed != text, "the page's own policy would refuse the questions"
    asked.write_text(FRAME.format(width=WIDTHS[size], page=html.escape(allowed)))
    colours = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    shown = chromium("--dump-dom", "--window-size=1200,1600", colours, asked.as_uri(), folder=report)
    match = re.search(r'data-answers="([^"]*)"', shown)
    assert match, shown[:500]
    measured: dict[str, Any] = json.loads(html.unescape(match[1]))
    assert measured["width"] == WIDTHS[size]
    return measured


def brightness(colour: str) -> float:
    """Return the relative luminance of `rgb(r, g, b)` (WCAG 2)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("size", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_can_be_read(report: Path, size: str, scheme: str) -> None:
    measured = answers(report, size, scheme)
    assert measured["dark"] is (scheme == "dark")
    assert measured["overflow"] <= 0, "the page scrolls sideways"
    assert len(measured["bars"]) == 5
    assert all(bar["inside"] and bar["width"] > 2 for bar in measured["bars"])
    assert measured["outside"] == 0, "a label of the timeline is cut off"
    assert measured["cut"] == [], "a table is wider than the page"
    light, dark = sorted((brightness(measured["ink"]), brightness(measured["page"])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 7


def test_a_screenshot_shows_something_and_it_prints(report: Path) -> None:
    picture, paper = report / "page.png", report / "page.pdf"
    address = (report / "index.html").as_uri()
    chromium(f"--screenshot={picture}", "--window-size=1100,1400", address, folder=report)
    chromium(f"--print-to-pdf={paper}", "--no-pdf-header-footer", address, folder=report)
    assert picture.stat().st_size > 30_000
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_size > 10_000
