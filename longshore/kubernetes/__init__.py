"""The only client of a cluster."""
