"""What depends on what: the graph of steps, what they read, what was done before."""
