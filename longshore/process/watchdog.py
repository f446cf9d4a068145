"""Ends our children if we are killed: a shell that waits for the end of a pipe whose other end only we hold.

Each line that it reads adds a process group or removes one. A signal at the death of a parent (PR_SET_PDEATHSIG) would
reach children, but not their children. Commands that change something are left running: half a change is worse than a
late one.
"""

from __future__ import annotations

from longshore.process.command import Command, Kind, query

BRIEF = 30.0  # seconds; a command with a deadline up to this ends soon enough by itself
PROGRAM = query(
    "sh",
    "-c",
    """
trap '' INT TERM HUP
groups=
while read -r sign group; do
  if [ "$sign" = + ]; then groups="$groups $group"; continue; fi
  rest=; for other in $groups; do [ "$other" = "$group" ] || rest="$rest $other"; done; groups=$rest
done
for group in $groups; do kill -s TERM -- "-$group"; done
if [ -n "$groups" ]; then sleep 2; fi
for group in $groups; do kill -s KILL -- "-$group"; done
""",
)


def covers(command: Command) -> bool:
    """Return whether COMMAND must not outlive us: it only reads, and may take long."""
    return command.kind is Kind.QUERY and not command.survives and command.deadline > BRIEF
