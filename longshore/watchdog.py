"""What ends our children when we are killed with no chance to do it: a shell that waits for the end of a pipe that only we hold.

Each line that it reads adds a process group or takes one off. A signal at the death of a parent (PR_SET_PDEATHSIG) would reach
children, but not their children. What changes something runs on: half a change is worse than a late one.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from longshore.command import Command, Kind, query

BRIEF = 30.0  # seconds; a command with no longer deadline than this ends soon enough by itself
PROGRAM = query(
    "sh",
    "-c",
    """
trap '' INT TERM HUP
groups=
while read -r sign group; do
  if [ "$sign" = + ]; then groups="$groups $group"; continue; fi
  rest=; for one in $groups; do [ "$one" = "$group" ] || rest="$rest $one"; done; groups=$rest
done
for one in $groups; do kill -s TERM -- "-$one"; done
if [ -n "$groups" ]; then sleep 2; fi
for one in $groups; do kill -s KILL -- "-$one"; done
""",
)


def covers(command: Command) -> bool:
    """Tell whether COMMAND must not outlive us: it only reads, and might go on for long."""
    return command.kind is Kind.QUERY and not command.survives and command.deadline > BRIEF


def lives(group: int) -> bool:
    """Return whether any process of GROUP is more than a zombie, which nobody may come for."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, found = stat.read_text().rpartition(")")[2].split()[:3]
            if int(found) == group and state not in "ZX":
                return True
    return False
