"""Longshore: a Flask repository from a commit to production Kubernetes, and back."""

__version__ = "0.1.0"
