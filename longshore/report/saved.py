"""Saves the report of a run in its folder, which only this user may read, without secrets and control characters."""

from __future__ import annotations

from pathlib import Path

import msgspec

from longshore.console.terminal import harmless, shortened
from longshore.files import private_folder, write_atomically
from longshore.process.redaction import Redactor, each_text
from longshore.report import markdown, page, sarif
from longshore.report.document import Document


def save(folder: Path, document: Document, redactor: Redactor, summary: Path | None = None) -> None:
    """Write DOCUMENT as report.json, index.html, report.md and findings.sarif.

    What tools have written into FOLDER and below it is redacted. SUMMARY is the page of the job that runs this, to
    which report.md is added.
    """
    private_folder(folder)

    def safe(text: str) -> str:
        return shortened(redactor.text(harmless(redactor.text(text))))

    clean = msgspec.convert(each_text(msgspec.to_builtins(document), safe), Document)
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            redactor.file(path)
    write_atomically(folder / "report.json", msgspec.json.format(msgspec.json.encode(clean).decode(), indent=1), 0o600)
    write_atomically(folder / "index.html", page.render(clean), 0o600)
    write_atomically(folder / "findings.sarif", sarif.render(clean.findings), 0o600)
    text = markdown.render(clean)
    write_atomically(folder / "report.md", text, 0o600)
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write(text)
