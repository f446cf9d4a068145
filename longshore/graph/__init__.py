"""The step graph: steps, what they read, what was done before, the scheduler."""
