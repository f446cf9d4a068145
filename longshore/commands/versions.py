"""Which versions of programs are installed."""

from __future__ import annotations

from longshore.process.command import Command, query

DEADLINE = 20.0  # seconds


def git() -> Command:
    """Print git's version."""
    return query("git", "version", deadline=DEADLINE)


def terraform() -> Command:
    """Print Terraform's version as JSON."""
    return query("terraform", "version", "-json", env={"CHECKPOINT_DISABLE": "1"}, deadline=DEADLINE)


def kubectl() -> Command:
    """Print the version of the kubectl on the PATH as JSON."""
    return query("kubectl", "version", "--client", "--output=json", deadline=DEADLINE)
