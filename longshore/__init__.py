"""Longshore: a Flask repository from a commit to production Kubernetes, and back."""

__version__ = "0.1.0"
AGENT = f"longshore/{__version__}"  # of every request of ours: AWS's core rule set blocks those that name none
