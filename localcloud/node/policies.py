"""Enforces NetworkPolicies: follows policies, pods and namespaces, and gives the kernel the rules that come of them.

It runs as a component of the node, with Python's own library alone: `main()`, whose argument is Settings as JSON.
"""

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from localcloud.node.firewall import CHAIN, Firewall, Networks, restored

STREAM = 300  # seconds after which the API server ends a watch
PAUSE = 0.5  # seconds before what failed is tried again
GATHER = 0.05  # seconds in which changes that come together are taken together
POLICIES, PODS, NAMESPACES = "/apis/networking.k8s.io/v1/networkpolicies", "/api/v1/pods", "/api/v1/namespaces"
COLLECTIONS = (POLICIES, PODS, NAMESPACES)
HOOKS = ("FORWARD", "INPUT")  # what passes from pod to pod, and what pods send to the node; not what the node sends
DEADLINE = 30.0  # seconds for a change of the kernel's rules


class Settings(NamedTuple):
    """Where the API server is, files of the certificates, the socket that says that the rules are there."""

    host: str
    port: int
    authority: str
    certificate: str
    key: str
    ready: str
    link: str
    services: str


class Followed:
    """The objects of each collection as they are now, and what waits for them to change."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._changed = threading.Condition()
        self._version = 0

    def replace(self, collection: str, objects: dict[str, Mapping[str, Any]]) -> None:
        with self._changed:
            self._objects[collection] = objects
            self._notify()

    def take(self, collection: str, change: str, item: Mapping[str, Any]) -> None:
        """Take a CHANGE that a watch of COLLECTION tells of."""
        with self._changed:
            objects = self._objects[collection]
            if change == "DELETED":
                objects.pop(item["metadata"]["uid"], None)
            else:
                objects[item["metadata"]["uid"]] = item
            self._notify()

    def _notify(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def after(self, version: int) -> tuple[int, dict[str, list[Mapping[str, Any]]]]:
        """Wait for what is later than VERSION, and complete; return its version and the objects of each collection."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version and len(self._objects) == len(COLLECTIONS))
        time.sleep(GATHER)
        with self._changed:
            return self._version, {name: list(objects.values()) for name, objects in self._objects.items()}


def follow(settings: Settings, collection: str, followed: Followed) -> None:
    """Keep FOLLOWED up to date about COLLECTION, for ever."""
    context = ssl.create_default_context(cafile=settings.authority)
    context.load_cert_chain(settings.certificate, settings.key)
    while True:
        try:
            with contextlib.closing(connection(settings, context)) as stream:
                version = listed(stream, collection, followed)
                while version:
                    version = watched(stream, collection, version, followed)
        except (OSError, http.client.HTTPException, ValueError, LookupError) as problem:
            print(f"{collection}: {problem!r}", flush=True)
        time.sleep(PAUSE)


def connection(settings: Settings, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    """Return a connection to the API server, for requests one after the other."""
    return http.client.HTTPSConnection(settings.host, settings.port, timeout=STREAM + 10, context=context)


def listed(stream: http.client.HTTPSConnection, collection: str, followed: Followed) -> str:
    """Take all objects of COLLECTION; return the version that they are of."""
    answer = asked(stream, collection)
    found = json.load(answer)
    followed.replace(collection, {item["metadata"]["uid"]: item for item in found["items"]})
    return str(found["metadata"]["resourceVersion"])


def watched(stream: http.client.HTTPSConnection, collection: str, version: str, followed: Followed) -> str:
    """Take the changes after VERSION until the watch ends; return the last version, an empty text to list anew."""
    query = f"watch=1&allowWatchBookmarks=true&timeoutSeconds={STREAM}&resourceVersion={version}"
    for line in asked(stream, f"{collection}?{query}"):
        change = json.loads(line)
        if change["type"] == "ERROR":
            return ""
        version = change["object"]["metadata"]["resourceVersion"]
        if change["type"] != "BOOKMARK":
            followed.take(collection, change["type"], change["object"])
    return version


def asked(stream: http.client.HTTPSConnection, path: str) -> http.client.HTTPResponse:
    """Return the answer to PATH. Raises OSError where it is none, or another than 200."""
    stream.request("GET", path)
    answer = stream.getresponse()
    if answer.status != 200:
        raise OSError(f"{path} answered with status {answer.status}: {answer.read(1000)!r}")
    return answer


def restore(rules: str) -> None:
    """Give the kernel the RULES, all at once. Raises OSError, and TimeoutExpired."""
    if problem := run("iptables-restore", "--wait", "--noflush", stdin=rules):
        raise OSError(problem)
    for hook in HOOKS:
        if run("iptables", "--wait", "-t", "mangle", "-C", hook, "-j", CHAIN) and (
            problem := run("iptables", "--wait", "-t", "mangle", "-A", hook, "-j", CHAIN)
        ):
            raise OSError(problem)


def run(*argv: str, stdin: str = "") -> str:
    """Run ARGV; return what it said where it failed, an empty text where it did not."""
    ended = subprocess.run(argv, input=stdin, text=True, check=False, timeout=DEADLINE, stderr=subprocess.PIPE)
    return f"{argv[0]} ended with {ended.returncode}: {ended.stderr}" if ended.returncode else ""


def enforce(followed: Followed, networks: Networks, give: Callable[[str], None], ready: Callable[[], None]) -> None:
    """GIVE the kernel the rules whenever they become others, for ever; call READY after the first time."""
    version, chains = 0, dict[str, list[str]]()
    while True:
        version, objects = followed.after(version)
        wanted = Firewall(objects[POLICIES], objects[PODS], objects[NAMESPACES], networks).chains()
        if wanted == chains:
            continue
        try:
            give(restored(wanted, chains))
        except (OSError, subprocess.TimeoutExpired) as problem:
            print(problem, flush=True)
            version = 0  # so that it is tried again
            time.sleep(PAUSE)
            continue
        if not chains:
            ready()
        chains = wanted


def answer(path: str) -> None:
    """From now on take whoever connects to the socket PATH: that it is there says that the rules are."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def take() -> None:
        while True:
            server.accept()[0].close()

    threading.Thread(target=take, daemon=True).start()


def main() -> None:
    """Enforce the NetworkPolicies of the cluster in the settings until the process ends."""
    settings, followed = Settings(**json.loads(sys.argv[1])), Followed()
    for collection in COLLECTIONS:
        threading.Thread(target=follow, args=(settings, collection, followed), daemon=True).start()

    enforce(followed, Networks(settings.link, settings.services), restore, lambda: answer(settings.ready))
