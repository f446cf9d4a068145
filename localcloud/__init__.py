"""The local environment: real Kubernetes, registry, AWS and edge on one machine."""
