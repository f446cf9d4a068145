"""What is asked of git."""

from __future__ import annotations

from longshore.command import Command, query


def head() -> Command:
    """The commit that is checked out; fails in a folder without one."""
    return query("git", "rev-parse", "--verify", "HEAD", deadline=10)


def changes(*paths: str) -> Command:
    """What differs from HEAD among PATHS, untracked files included; ends with NUL after each entry."""
    return query("git", "status", "--porcelain", "-z", "--untracked-files=all", "--", *paths, deadline=30)


def listed() -> Command:
    """What git tracks or would add, whatever folder it is asked in; NUL after each name."""
    return query("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", deadline=60)


def upstream_has(revision: str) -> Command:
    """The remote branches that contain REVISION."""
    return query("git", "branch", "--remotes", "--contains", revision, deadline=10)


def is_ancestor(older: str, newer: str) -> Command:
    """Ask whether NEWER contains OLDER: exit code 0 for yes, 1 for no, 128 where one of them is not known."""
    return query("git", "merge-base", "--is-ancestor", older, newer, deadline=10)
