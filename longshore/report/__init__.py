"""The report of a run: report.json for programs, and index.html, rendered from it, for people."""
