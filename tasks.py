"""Invoke's entry point: `invoke --list` shows the commands."""

from invoke.collection import Collection

from longshore.tasks import collection

ns: Collection = collection()
