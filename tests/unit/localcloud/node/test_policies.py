from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.node import policies
from localcloud.node.firewall import Networks
from localcloud.node.policies import NAMESPACES, PODS, POLICIES, Followed

NETWORKS = Networks(link="198.19.0.4/30", services="10.96.0.0/16")


def pod(uid: str, address: str) -> dict[str, Any]:
    metadata = {"uid": uid, "name": uid, "namespace": "shop", "labels": {"app": uid}}
    return {"metadata": metadata, "spec": {"containers": [{}]}, "status": {"podIP": address, "phase": "Running"}}


DENY = {"metadata": {"uid": "deny", "namespace": "shop"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}


class Kernel:
    """Takes rules, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.given, self.fails, self.ready = list[str](), 0, threading.Event()
        self._more = threading.Condition()

    def give(self, rules: str) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("the kernel has no memory")
        with self._more:
            self.given.append(rules)
            self._more.notify_all()

    def wait(self, number: int) -> str:
        """Return the rules that were given as the NUMBER-th."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.given) >= number, 20)
            return self.given[number - 1]


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def followed(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Followed:
    """What an enforcement with KERNEL follows: one pod."""
    monkeypatch.setattr(policies, "PAUSE", 0.01)
    found = Followed()
    found.replace(PODS, {"web": pod("web", "10.88.0.2")})
    found.replace(POLICIES, {})
    arguments = (found, NETWORKS, kernel.give, kernel.ready.set)
    threading.Thread(target=policies.enforce, args=arguments, daemon=True).start()
    return found


def complete(followed: Followed) -> None:
    followed.replace(NAMESPACES, {"shop": {"metadata": {"uid": "shop", "name": "shop"}}})


def test_nothing_is_given_before_all_is_known(kernel: Kernel, followed: Followed) -> None:
    assert not kernel.ready.wait(0.3)
    complete(followed)
    assert "10.88.0.2" not in kernel.wait(1)
    assert kernel.ready.wait(20)


@pytest.mark.parametrize(
    "change",
    [
        lambda followed: followed.take(PODS, "ADDED", pod("mail", "10.88.0.3")),
        lambda followed: followed.take(PODS, "MODIFIED", pod("web", "10.88.0.3")),
    ],
)
def test_rules_follow_pods(kernel: Kernel, followed: Followed, change: Callable[[Followed], None]) -> None:
    followed.take(POLICIES, "ADDED", DENY)
    complete(followed)
    assert "-d 10.88.0.2 " in kernel.wait(1)
    change(followed)
    assert "-d 10.88.0.3 " in kernel.wait(2)


def test_rules_go_with_their_policy(kernel: Kernel, followed: Followed) -> None:
    followed.take(POLICIES, "ADDED", DENY)
    complete(followed)
    kernel.wait(1)
    followed.take(POLICIES, "DELETED", DENY)
    assert "-d 10.88.0.2 " not in kernel.wait(2)
    assert "-X INGRESS-" in kernel.wait(2)


def test_what_changes_no_rule_is_not_given_again(kernel: Kernel, followed: Followed) -> None:
    complete(followed)
    kernel.wait(1)
    followed.take(PODS, "MODIFIED", pod("web", "10.88.0.2"))
    followed.take(POLICIES, "ADDED", DENY)
    assert "-d 10.88.0.2 " in kernel.wait(2)


def test_rules_that_the_kernel_refused_are_given_again(kernel: Kernel, followed: Followed) -> None:
    kernel.fails = 2
    complete(followed)
    assert kernel.wait(1).startswith("*mangle")
    assert kernel.ready.wait(20)


def test_it_is_ready_however_often_it_is_asked(tmp_path: Path) -> None:
    """The kernel keeps 128 connections that nobody has taken, and refuses the next one."""
    policies.answer(str(path := tmp_path / "ready.sock"))
    for _ in range(300):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.settimeout(20)
            assert client.recv(1) == b"", "it was taken"


def test_it_is_ready_again_where_a_crash_left_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "ready.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    policies.answer(str(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
