"""The watcher against an API server that pages, streams, forgets, hangs and comes back: a stand-in over real TLS."""

from __future__ import annotations

import http.server
import json
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from longshore.commands.kubectl import Cluster
from longshore.errors import Precondition, StateUnknown
from longshore.kubernetes import api, mirror
from longshore.process.runner import Runner
from longshore.rollout import watch
from longshore.rollout.verdict import Outcome, Verdict, Workload
from longshore.settings.rollout import Patience
from tests.unit.api_server import certificate, cluster_at
from tests.unit.rollout.things import IMAGE, THREE, Thing, deployment, pod, replica_set, waiting

APP = Workload(kind="Deployment", name="app", images={"app": IMAGE})
KINDS = {"deployments": "Deployment", "replicasets": "ReplicaSet", "pods": "Pod", "events": "Event"}


class Server:
    """Holds objects by kind; `change` tells every open watch."""

    def __init__(self, folder: Path) -> None:
        self.objects: dict[str, list[Thing]] = {kind: [] for kind in KINDS.values()}
        self.streams: dict[str, list[queue.Queue[Thing | None]]] = {kind: [] for kind in KINDS.values()}
        self.lists: list[str] = []
        self.forgotten = False
        self.hangs = threading.Event()
        self.page = 500
        self.troubles: list[int] = []  # what the next requests get in place of an answer: a status, or 0 for nothing
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.authority, key = certificate(folder)
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that hangs up

    def answer(self, handler: Any) -> None:
        while self.hangs.is_set():
            time.sleep(0.01)
        if self.troubles:
            handler.close_connection = not (status := self.troubles.pop())
            return self.reply(handler, status, {"message": "busy"}) if status else None
        url = urlsplit(handler.path)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        if handler.headers["Authorization"] != "Bearer right":
            return self.reply(handler, 401, {"message": "Unauthorized"})
        if url.path == "/readyz":
            return self.reply(handler, 200, {})
        kind = KINDS[url.path.rpartition("/")[2]]
        if asked.get("watch"):
            return self.stream(handler, kind)
        self.lists.append(kind)
        start = int(asked.get("continue", 0))
        items = self.objects[kind][start : start + self.page]
        more = {"continue": str(start + self.page)} if start + self.page < len(self.objects[kind]) else {}
        page = {"metadata": {"resourceVersion": "1", **more}, "items": items}
        return self.reply(handler, 200, {"apiVersion": "v1", "kind": f"{kind}List"} | page)

    def reply(self, handler: Any, status: int, body: Thing) -> None:
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def stream(self, handler: Any, kind: str) -> None:
        changes: queue.Queue[Thing | None] = queue.Queue()
        if self.forgotten:
            self.forgotten = False
            changes.put({"type": "ERROR", "object": {"code": 410}})
        self.streams[kind].append(changes)
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while change := changes.get():
            data = json.dumps(change).encode() + b"\n"
            handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            handler.wfile.flush()
        handler.close_connection = True

    def then(self, streams: int, act: Callable[[], object]) -> threading.Thread:
        """ACT once that many STREAMS were opened: changes are not kept for later ones."""

        def wait() -> None:
            end = time.monotonic() + 5
            while sum(map(len, self.streams.values())) < streams and time.monotonic() < end:
                time.sleep(0.01)
            act()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread

    def change(self, kind: str, *things: Thing) -> None:
        self.objects[kind] = list(things)
        for changes in self.streams[kind]:
            for thing in things:
                thing["metadata"]["resourceVersion"] = "2"
                changes.put({"type": "MODIFIED", "object": thing})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.hangs.clear()
    for streams in server.streams.values():
        for changes in streams:
            changes.put(None)
    server.http.shutdown()
    thread.join()
    server.http.server_close()


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return cluster_at(f"https://127.0.0.1:{server.http.server_port}", server.authority)


def serving(server: Server, pods: list[Thing] = THREE, **state: Any) -> None:
    server.objects |= {"Deployment": [deployment(**state)], "ReplicaSet": [replica_set()], "Pod": pods}


def follow(cluster: Cluster, deadline: float = 5, **patience: float) -> Verdict:
    with watch.Watcher(cluster, Runner({}), [APP], Patience(**patience)) as watcher:
        return watcher.until_verdict(deadline, lambda *said: None)


def test_a_look_reads_page_by_page(server: Server, cluster: Cluster) -> None:
    serving(server)
    server.page = 2
    verdict = watch.look(api.Api(cluster, Runner({})), [APP])
    assert (verdict.outcome, verdict.ready) == (Outcome.GOOD, 3)
    assert server.lists.count("Pod") == 2


def test_a_change_is_seen_without_asking_again(server: Server, cluster: Cluster) -> None:
    serving(server, [pod("app-1", ready=False)], updated=1)
    timer = server.then(
        4, lambda: server.change("Pod", pod("app-1", ready=False, container=waiting("InvalidImageName")))
    )
    assert "InvalidImageName" in follow(cluster).sentence
    assert server.lists.count("Pod") == 1
    timer.join()


def test_a_history_that_the_server_forgot_is_read_anew(server: Server, cluster: Cluster) -> None:
    serving(server, [pod("app-1", ready=False)], updated=1)
    server.forgotten = True
    timer = server.then(
        5, lambda: [serving(server), server.change("Deployment", deployment()), server.change("Pod", *THREE)]
    )
    assert follow(cluster).outcome is Outcome.GOOD
    assert len(server.lists) >= 5, "four kinds, one of them twice"
    timer.join()


def test_what_is_not_ready_in_time_is_bad(server: Server, cluster: Cluster) -> None:
    serving(server, [pod("app-1", ready=False)], updated=1)
    verdict = follow(cluster, deadline=0.3)
    assert (verdict.outcome, verdict.sentence) == (Outcome.BAD, "not ready after 0.3 s: 0 of 3 replicas ready")


def test_a_wait_has_a_budget_of_its_own(server: Server, cluster: Cluster) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    serving(server, [pod("app-1", ready=False, conditions=[condition])], updated=1)
    verdict = follow(cluster, deadline=60, schedule=0.3)
    assert verdict.outcome is Outcome.BAD
    assert re.fullmatch(r"pod app-1 cannot be scheduled: 0/1 nodes \(for \d+ s\)", verdict.sentence)


def test_a_server_that_hangs_leaves_the_state_unknown(
    server: Server, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "UNREACHABLE", 0.6)
    monkeypatch.setattr(mirror, "PULSE", 0.1)
    monkeypatch.setattr(mirror, "PULSE_TIMEOUT", 0.2)
    serving(server, [pod("app-1", ready=False)], updated=1)
    threading.Timer(0.3, server.hangs.set).start()
    with pytest.raises(watch.Unreachable, match="nothing was rolled back"):
        follow(cluster, deadline=30)


def test_a_server_that_comes_back_is_followed_on(
    server: Server, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "PULSE", 0.1)
    monkeypatch.setattr(mirror, "PULSE_TIMEOUT", 0.2)
    serving(server, [pod("app-1", ready=False)], updated=1)

    def outage() -> None:
        server.hangs.set()
        time.sleep(0.6)
        serving(server)
        for changes in server.streams["Pod"] + server.streams["Deployment"]:
            changes.put(None)  # what was open before is gone
        server.hangs.clear()
        time.sleep(0.5)
        server.change("Deployment", deployment())
        server.change("Pod", *THREE)

    thread = threading.Timer(0.3, outage)
    thread.start()
    assert follow(cluster, deadline=10).outcome is Outcome.GOOD
    thread.join()


def test_nobody_listening_is_said_so(cluster: Cluster, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = json.loads(cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    cluster.kubeconfig.write_text(json.dumps(config))
    with pytest.raises(StateUnknown, match="the API server does not answer"):
        watch.look(api.Api(cluster, Runner({})), [APP])


def test_a_wrong_token_is_refused(cluster: Cluster) -> None:
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"][0]["user"]["token"] = "wrong"
    cluster.kubeconfig.write_text(json.dumps(config))
    with pytest.raises(api.Refused, match="401: Unauthorized"):
        api.Api(cluster, Runner({})).get("/readyz")


@pytest.mark.parametrize(("status", "why"), [(0, "no HTTP answer"), (429, "429: busy"), (503, "503: busy")])
def test_a_list_is_asked_for_a_second_time_and_no_third(
    server: Server, cluster: Cluster, status: int, why: str
) -> None:
    serving(server)
    server.troubles = [status]
    found = api.Api(cluster, Runner({})).items("/api/v1/namespaces/shop/pods", "a=b")
    assert [each["kind"] for each in found] == ["Pod"] * len(THREE)
    server.troubles = [status] * 3
    with pytest.raises(Precondition, match=f"cannot list /api/v1/namespaces/shop/pods: .*{why}"):
        api.Api(cluster, Runner({})).items("/api/v1/namespaces/shop/pods", "a=b")
    assert len(server.troubles) == 1


def test_a_list_that_is_forbidden_is_asked_for_once(server: Server, cluster: Cluster) -> None:
    server.troubles = [403, 403]
    with pytest.raises(Precondition, match="403: busy"):
        api.Api(cluster, Runner({})).items("/api/v1/namespaces/shop/pods", "a=b")
    assert len(server.troubles) == 1


def test_what_is_kept_of_a_pod_is_what_a_verdict_needs() -> None:
    whole = pod("app-1") | {"spec": {"containers": [{"name": "app", "image": IMAGE, "env": ["x"] * 1000}]}}
    whole["metadata"]["managedFields"] = ["x"] * 1000
    assert len(json.dumps(mirror.reduced("Pod", whole))) < 600


def test_a_pod_on_its_way_out_is_told_from_one_that_stays(server: Server, cluster: Cluster) -> None:
    gone = pod("app-0")
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    anothers = {**gone, "metadata": {**gone["metadata"], "ownerReferences": [{"uid": "nightly"}]}}
    for pods, leaving in (
        ([*THREE, gone, gone | {"metadata": gone["metadata"] | {"name": "b", "uid": "b"}}], 2),
        (THREE, 0),
        ([*THREE, anothers], 0),
    ):
        serving(server, pods)
        with watch.Watcher(cluster, Runner({}), [APP], Patience()) as watcher:
            watcher.until_verdict(5, lambda *said: None)
            assert watcher.leaving() == leaving
