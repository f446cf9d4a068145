"""What pods answer: to users at the public address, and through the API server's proxy."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable

from tests.unit.rollout.controllers import Controllers
from tests.unit.rollout.things import Thing, revision


@dataclasses.dataclass
class Behaviour:
    """How a pod answers: one of `fails` requests with 500, after `seconds`; `metrics` are what it says of itself."""

    fails: int = 0
    seconds: float = 0.0
    metrics: Callable[[], str] | None = None
    asked: int = 0

    def answer(self, path: str) -> tuple[int, Thing | str]:
        if path == "/metrics":
            return (200, self.metrics()) if self.metrics else (404, {})
        self.asked += 1
        time.sleep(self.seconds)
        return (500 if self.fails and self.asked % self.fails == 0 else 200), {}


class Application(Controllers):
    """`unserved` are the revisions that are ready yet not served. A pod that ends still answers where it `lingers`.

    A pod of a revision in `behaves` answers through its proxy as that says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unserved: set[str] = set()
        self.lingers = False
        self.behaves: dict[str, Behaviour] = {}
        self._turn = itertools.count()

    def _proxy(self, name: str, path: str) -> tuple[int, Thing]:
        pod = self.objects.get(("Pod", name.partition(":")[0]))
        if pod is None or pod["status"]["conditions"][0]["status"] != "True" or revision(pod) in self.unserved:
            return 503, {"kind": "Status", "message": "error trying to reach service: connection refused"}
        if path == "/":  # with its links as a proxy changes them
            return 200, {"link": f"/api/v1/namespaces/shop/pods/{name}/proxy/static"}
        return (200, _version(pod)) if path == "/version" else (404, {"error": {"status": 404}})

    def _served(self) -> Thing:
        """What the application answers; its pods are those of the Deployment app."""
        every = [item for (kind, name), item in self.objects.items() if kind == "Pod" and name.startswith("app-")]
        pods = [pod for pod in every if pod["metadata"].get("ownerReferences")]
        pods = [pod for pod in pods if self.lingers or not pod["metadata"].get("deletionTimestamp")]
        ready = [
            p for p in pods if p["status"]["conditions"][0]["status"] == "True" and revision(p) not in self.unserved
        ]
        if not ready:
            return {}
        return _version(ready[next(self._turn) % len(ready)])


def _version(pod: Thing) -> Thing:
    """What the application in POD answers to /version."""
    digest = pod["spec"]["containers"][0]["image"].partition("@")[2]
    return {"pod": pod["metadata"]["name"], "revision": revision(pod), "digest": digest}
