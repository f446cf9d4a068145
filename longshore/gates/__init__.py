"""The checks that a release waits for: what they run and how their reports are read."""
