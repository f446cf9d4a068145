"""What a relay lets through to a pod, and what it keeps to itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

from longshore.rollout.relay import Relay
from tests.unit.rollout.kubectl import Kubectl
from tests.unit.rollout.kubernetes import Kubernetes
from tests.unit.rollout.sites import site_of
from tests.unit.rollout.things import app, item


def test_the_relay_leads_to_the_pod_and_nowhere_else(kubernetes: Kubernetes, kubectl: Kubectl, tmp_path: Path) -> None:
    kubernetes.apply({**item("Pod", "one"), "spec": app("two")["spec"]["template"]["spec"]})

    def ask(path: str, **headers: str) -> int:
        request = urllib.request.Request(relay.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as answer:
            return answer.code

    with Relay(site_of(kubernetes, kubectl, tmp_path), "one", 5000) as relay:
        assert ask("/version", Authorization="Bearer stolen", Cookie="a=b") == 200
        assert ask("/nothing") == 404
        assert ask("/../../two:5000/proxy/version") == 400
        assert ask("/%2e%2e/two/proxy/version") == ask("/%3f/../../two/proxy/version") == 400
        headers = {"Impersonate-User": "admin"}
        assert ask("/version", **headers) == 200
        with urllib.request.urlopen(relay.url + "/", timeout=5) as answer:
            assert json.loads(answer.read()) == {"link": "/static"}
    assert [entry[1] for entry in kubernetes.proxied] == ["one:5000"] * 4
    seen = [entry[3] for entry in kubernetes.proxied]
    assert seen[0]["Authorization"] == "Bearer right"
    assert seen[0]["Cookie"] == "a=b"
    assert "Impersonate-User" not in {name.title() for name in seen[2]}
