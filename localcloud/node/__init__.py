"""The node: the processes of one Kubernetes cluster, in namespaces of their own."""
