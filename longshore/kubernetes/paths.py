"""Where the API server has which kind of object: API versions and paths."""

from __future__ import annotations

# Kinds of objects in a namespace, by API version.
KINDS = {
    "v1": ("ConfigMap", "Event", "PersistentVolumeClaim", "Pod", "Secret", "Service", "ServiceAccount"),
    "apps/v1": ("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "batch/v1": ("CronJob", "Job"),
    "coordination.k8s.io/v1": ("Lease",),
    "discovery.k8s.io/v1": ("EndpointSlice",),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "policy/v1": ("PodDisruptionBudget",),
}
VERSIONS = {kind: version for version, kinds in KINDS.items() for kind in kinds}


def collection(kind: str, namespace: str) -> str:
    """Return the path of all objects of KIND in NAMESPACE; append `/NAME` for one of them. Raises KeyError."""
    version, name = VERSIONS[kind], kind.lower()
    plural = f"{name}es" if name.endswith("s") else f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
    return f"/{'apis' if '/' in version else 'api'}/{version}/namespaces/{namespace}/{plural}"
