"""Runs processes; nothing else does."""
