"""Assembles Invoke's Collections, and nothing else: `invoke --list` shows what there is."""

from invoke.collection import Collection

from longshore.tasks import collection

ns: Collection = collection()
