"""The sources that a run acts on: one git tree, whatever is edited meanwhile."""
