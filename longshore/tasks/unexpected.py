"""The log of an exception that nobody thought of: it has the traceback, which the terminal is spared."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path

from longshore.files import private_folder, write_atomically
from longshore.process.redaction import Redactor


def write(error: Exception, log_dir: Path | None, redactor: Redactor) -> Path:
    """Write the traceback of ERROR into a private log in LOG_DIR, or where that cannot be, elsewhere; return it."""
    text = redactor.text("".join(traceback.format_exception(error))).encode(errors="backslashreplace")
    if log_dir:
        try:
            private_folder(log_dir)
            write_atomically(log := log_dir / "traceback.log", text, 0o600)
            return log
        except OSError:
            pass
    log = Path(tempfile.mkdtemp(prefix="longshore-")) / "traceback.log"
    write_atomically(log, text, 0o600)
    return log
