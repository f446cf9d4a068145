"""What an API server stores: objects, each with its version, and those who watch them change."""

from __future__ import annotations

import copy
import itertools
import queue
import threading

from tests.unit.rollout.things import Thing, owns

KINDS = {
    "configmaps": ("v1", "ConfigMap"),
    "secrets": ("v1", "Secret"),
    "serviceaccounts": ("v1", "ServiceAccount"),
    "services": ("v1", "Service"),
    "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "pods": ("v1", "Pod"),
    "events": ("v1", "Event"),
    "namespaces": ("v1", "Namespace"),
    "deployments": ("apps/v1", "Deployment"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "jobs": ("batch/v1", "Job"),
    "cronjobs": ("batch/v1", "CronJob"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "horizontalpodautoscalers": ("autoscaling/v2", "HorizontalPodAutoscaler"),
    "leases": ("coordination.k8s.io/v1", "Lease"),
}
PLURALS = {kind: plural for plural, (_, kind) in KINDS.items()}


class Store:
    """Objects by kind and name."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Thing] = {}
        self._lock = threading.RLock()
        self._watches: dict[str, list[queue.Queue[Thing | None]]] = {kind: [] for kind in PLURALS}
        self._version = itertools.count(1)

    def close(self) -> None:
        for queues in self._watches.values():
            for changes in queues:
                changes.put(None)

    def put(self, item: Thing) -> Thing:
        """Store ITEM and tell those who watch its kind."""
        with self._lock:
            kind, name = item["kind"], item["metadata"]["name"]
            before = self.objects.get((kind, name), {"metadata": {}})["metadata"]
            metadata = item["metadata"]
            metadata.setdefault("uid", before.get("uid", f"{kind}-{name}"))
            metadata["resourceVersion"] = str(next(self._version))
            metadata["generation"] = before.get("generation", 0) + 1
            self.objects[kind, name] = item
            self._tell(kind, "MODIFIED", item)
            return item

    def drop(self, kind: str, name: str) -> None:
        with self._lock:
            if item := self.objects.pop((kind, name), None):
                self._tell(kind, "DELETED", item)

    def drop_whole(self, kind: str, name: str) -> None:
        """Delete an object with all that it made."""
        with self._lock:
            if item := self.objects.get((kind, name)):
                self.drop(kind, name)
                for other in [key for key, thing in self.objects.items() if owns(item, thing)]:
                    self.drop_whole(*other)

    def get(self, kind: str, name: str = "app") -> Thing:
        return self.objects[kind, name]

    def names(self, kind: str) -> list[str]:
        return sorted(name for known, name in self.objects if known == kind)

    def watch(self, kind: str) -> queue.Queue[Thing | None]:
        """Return what happens to the objects of KIND from now on, those there are first; None is the end."""
        changes: queue.Queue[Thing | None] = queue.Queue()
        with self._lock:
            for (known, _), item in self.objects.items():
                if known == kind:
                    changes.put({"type": "MODIFIED", "object": copy.deepcopy(item)})
            self._watches[kind].append(changes)
        return changes

    def _tell(self, kind: str, what: str, item: Thing) -> None:
        for changes in self._watches.get(kind, ()):
            changes.put({"type": what, "object": copy.deepcopy(item)})
