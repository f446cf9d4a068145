"""What controllers make of the objects that somebody applies: pods, ReplicaSets, statuses, events."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

from tests.unit.rollout import things
from tests.unit.rollout.store import Store
from tests.unit.rollout.things import Thing, ended, now, owners, owns, revision

STALLED = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
CRASH = [{"name": "app", "restartCount": 2, "lastState": ended(3), "state": ended(3)}]


class Controllers(Store):
    """`crashes` are the revisions whose pods crash, `stalls` those whose pods never become ready until Kubernetes says
    so, `fails` hooks. `refused` is what pods of Jobs are refused with. `drains` are the seconds that a replaced pod
    takes to end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.crashes: set[str] = set()
        self.stalls: set[str] = set()
        self.fails: set[str] = set()
        self.refused = ""
        self.drains = 0.0
        self.on_apply: Callable[[Thing], object] = lambda item: None
        self._stalled: Thing = {}

    def apply(self, item: Thing, manager: str = "longshore") -> Thing:
        """Store ITEM as somebody's, then do what a controller would."""
        with self._lock:
            item = copy.deepcopy(item)
            before = self.objects.get((item["kind"], item["metadata"]["name"]))
            owners = before["metadata"]["managedFields"] if before else [{"manager": manager, "time": "2026"}]
            item["metadata"]["managedFields"] = owners
            if "replicas" in item.get("spec", {}) or (before and "replicas" in before.get("spec", {})):
                self._count(item, before or item, manager)
            if before and "template" not in item.get("spec", {}) and item["kind"] == "Deployment":
                return self.put({**before, **item, "spec": before["spec"] | item["spec"]})
            self.on_apply(item)
            self.put(item)
            if item["kind"] == "Deployment":
                self._roll_out(item)
            elif item["kind"] == "StatefulSet":
                ready = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), item["spec"].get("replicas", 1))
                self.put({**item, "status": {**ready, "updateRevision": "new", "observedGeneration": 1000}})
                for index in range(item["spec"].get("replicas", 1)):
                    pod = things.pod(
                        f"{item['metadata']['name']}-{index}", owner=item["metadata"]["uid"], container={"imageID": ""}
                    )
                    pod["metadata"]["labels"] = {"controller-revision-hash": "new"}
                    self.put({"kind": "Pod", **pod})
            elif item["kind"] == "Pod":
                bad = revision(item) in self.crashes
                self.put({**item, "status": _status(item, CRASH if bad else None, ready=not bad)})
            elif item["kind"] == "Job":
                self._run(item)
            return item

    def _count(self, item: Thing, before: Thing, manager: str) -> None:
        """Have the number of ITEM's pods be whose it is; what nobody's is any more, the server forgets: that is 1."""
        said: Thing = {"manager": manager, "operation": "Apply", "time": "2026"}
        others = [entry for entry in before["metadata"]["managedFields"] if entry["manager"] != manager]
        if "replicas" in item["spec"]:
            said |= {"fieldsV1": {"f:spec": {"f:replicas": {}}}}
        elif any("f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {}) for entry in others):
            item["spec"]["replicas"] = before["spec"]["replicas"]
        item["metadata"]["managedFields"] = [*others, said]

    def _run(self, job: Thing) -> None:
        """Do with JOB what its controller would: its pods need their account, and what their variables are from."""
        name, spec = job["metadata"]["name"], job["spec"]["template"]["spec"]
        account = spec.get("serviceAccountName", "default")
        refused = self.refused
        if account != "default" and ("ServiceAccount", account) not in self.objects:
            refused = f'error looking up service account shop/{account}: serviceaccount "{account}" not found'
        if refused:
            about = things.warning(job["metadata"]["uid"], "FailedCreate", f"Error creating: {refused}", now())
            self.put({"kind": "Event", "metadata": {"name": f"{name}.1"}, **about})
            return
        sources = [source["configMapRef"]["name"] for one in spec["containers"] for source in one.get("envFrom", ())]
        without = [source for source in sources if ("ConfigMap", source) not in self.objects]
        failed = without or any(name.startswith(hook) for hook in self.fails)
        message = f"configmap {without} not found" if without else "it exited with 1"
        condition = {"type": "Failed" if failed else "Complete", "status": "True", "message": message}
        self.put({**job, "status": {"conditions": [condition]}})

    def _roll_out(self, item: Thing) -> None:
        template = copy.deepcopy(item["spec"]["template"])
        name, crashes = f"{item['metadata']['name']}-{revision(template)}", revision(template) in self.crashes
        bad = crashes or revision(template) in self.stalls
        template["metadata"]["labels"]["pod-template-hash"] = name
        owner = {"ownerReferences": [{"uid": item["metadata"]["uid"]}]}
        if not bad:
            sets = {
                thing["metadata"]["uid"]: other for (kind, other), thing in self.objects.items() if owns(item, thing)
            }
            for (kind, other), thing in list(self.objects.items()):
                if owners(thing) & sets.keys() or (owns(item, thing) and other != name and not self.drains):
                    self._end(kind, other, again=f"ReplicaSet-{name}" in owners(thing))
        self.put({"kind": "ReplicaSet", "metadata": {"name": name, **owner}, "spec": {"template": template}})
        for index in range(item["spec"].get("replicas", 1)):
            pod: Thing = {"kind": "Pod", "metadata": {"name": f"{name}-{index}"}, "spec": template["spec"]}
            pod["metadata"]["ownerReferences"] = [{"uid": f"ReplicaSet-{name}"}]
            pod["status"] = _status(pod, CRASH if crashes else None, ready=not bad)
            self.put(pod)
        count = item["spec"].get("replicas", 1)
        status = {"replicas": count, "availableReplicas": count, "updatedReplicas": 0 if bad else count}
        stored = {**item, "status": {**status, "observedGeneration": item["metadata"]["generation"] + 2}}
        if revision(template) in self.stalls:
            self._stalled = {**STALLED, "lastUpdateTime": now()}
        if self._stalled:  # kept, as the controller does, for as long as pods of both releases are there
            both = {**stored["status"], "replicas": 2 * count, "conditions": [self._stalled]}
            self.put({**stored, "status": both})
        if self._stalled and not bad:
            self._stalled = {}
            threading.Timer(0.2, self.put, [stored]).start()
        elif not self._stalled:
            self.put(stored)

    def _end(self, kind: str, name: str, *, again: bool) -> None:
        """Delete a pod, which takes its time, or another object; what is made AGAIN goes at once."""
        pod = self.objects[kind, name]
        if again or not self.drains or kind != "Pod":
            self.drop(kind, name)
        elif "deletionTimestamp" not in pod["metadata"]:
            self.put({**pod, "metadata": {**pod["metadata"], "deletionTimestamp": now()}})
            threading.Timer(self.drains, self.drop, [kind, name]).start()


def _status(pod: Thing, containers: list[Thing] | None, *, ready: bool) -> Thing:
    """The status of POD, which is READY or not; its CONTAINERS, unless they are well."""
    well = {"name": "app", "imageID": pod["spec"]["containers"][0]["image"], "containerID": "containerd://1"}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"conditions": conditions, "containerStatuses": containers or [well]}
