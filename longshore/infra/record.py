"""What was applied from this checkout last: a memory of it, which decides whether Terraform is needed at all."""

from __future__ import annotations

import errno

import msgspec

from longshore.files import Memory
from longshore.infra.outputs import Applied, Outputs

NAME = "infra"


def last(memory: Memory) -> Applied | None:
    """Return the record in MEMORY, or None where there is none that this version can read."""
    try:
        return msgspec.convert(memory.get(NAME), Applied)
    except msgspec.ValidationError:
        return None


def remember(memory: Memory, fingerprint: str, outputs: Outputs, note: str = "") -> Applied:
    """Record in MEMORY that sources with this FINGERPRINT gave OUTPUTS; empty where those were only read."""
    applied = Applied(fingerprint=fingerprint, outputs=outputs, note=note)
    try:
        memory.put(NAME, **msgspec.to_builtins(applied))
    except OSError as problem:  # everything is applied; what could not be recorded can be asked for again
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        note = f"{note}; the disk is full, so the next run has to ask for the outputs again"
        return msgspec.structs.replace(applied, note=note)
    return applied
