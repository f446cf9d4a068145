"""The release: render, apply, watch, decide, verify, record."""
