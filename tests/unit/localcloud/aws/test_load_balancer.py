from __future__ import annotations

import datetime
import http.server
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from localcloud.aws import load_balancer, metrics
from localcloud.aws.load_balancer import AccessLog, Forward, Health

REGION = "eu-west-1"
NOON = datetime.datetime.fromisoformat("2026-01-01T12:00:00")
BALANCER = {"LoadBalancer": "app/shop/1"}
BOTH = {**BALANCER, "TargetGroup": "targetgroup/shop-app/2"}
# As nginx writes them: answered, refused by the target's port, an error of the target, a redirect of another listener.
ANSWERED = (
    '{"time":"2026-01-01T13:00:01+01:00","client":"127.0.0.1","host":"shop.localhost","method":"GET","listener":8443,'
    '"path":"/",'
    '"status":200,"bytes":5,"seconds":0.013,"upstream":"198.19.0.6:30080","upstream_status":"200","target_seconds":"0.012",'
    '"request_id":"1"}\n'
)
REFUSED = ANSWERED.replace('"status":200', '"status":502').replace('"0.012"', '"-"')
FAILED = ANSWERED.replace('"status":200', '"status":502')
REDIRECTED = ANSWERED.replace("8443", "8080").replace('"198.19.0.6:30080"', '""').replace('"0.012"', '""')


def group(**other: object) -> SimpleNamespace:
    settings = {
        "port": 30080,
        "health_check_port": "traffic-port",
        "health_check_path": "/readyz",
        "matcher": {"HttpCode": "200"},
        "health_check_interval_seconds": 15,
        "health_check_timeout_seconds": 5,
        "healthy_threshold_count": 2,
        "unhealthy_threshold_count": 3,
        "targets": {"i-1": {}},
        "began": NOON,
    }
    return SimpleNamespace(**(settings | other))


def forward(**other: object) -> Forward:
    return Forward(REGION, 8443, BALANCER, BOTH, group(**other))


def sums(dimensions: dict[str, str]) -> dict[str, float]:
    wanted = list(dimensions.items())
    return {
        minute.name: minute.sum
        for minute in metrics.MINUTES.values()
        if [(dimension.name, dimension.value) for dimension in minute.dimensions] == wanted
    }


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.write("".join(lines))


def test_requests_become_what_a_load_balancer_counts(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log")
    write(tmp_path / "log", ANSWERED, ANSWERED, REFUSED, FAILED, REDIRECTED)
    load_balancer.count(forward(), log.read())
    assert sums(BALANCER) == {
        "RequestCount": 4,
        "TargetResponseTime": pytest.approx(0.036),
        "HTTPCode_ELB_5XX_Count": 1,
        "HTTPCode_Target_5XX_Count": 1,
    }
    assert sums(BOTH)["RequestCount"] == 4
    assert {minute.timestamp for minute in metrics.MINUTES.values()} == {NOON}


def test_a_request_to_another_target_group_counts_for_the_load_balancer_alone(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log")
    write(tmp_path / "log", ANSWERED, FAILED.replace(":30080", ":30081"))
    load_balancer.count(forward(), log.read())
    assert sums(BALANCER)["HTTPCode_Target_5XX_Count"] == 1
    assert sums(BOTH)["RequestCount"] == 1
    assert "HTTPCode_Target_5XX_Count" not in sums(BOTH)


def test_reading_the_log_continues_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, ANSWERED)
    log = AccessLog(path)
    assert log.read() == []  # from before
    write(path, REFUSED, FAILED[:40])
    assert [request.status for request in log.read()] == [502]
    write(path, FAILED[40:], ANSWERED)
    assert [request.status for request in log.read()] == [502, 200]
    assert log.read() == []


def test_a_new_or_truncated_log_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = AccessLog(path)
    assert log.read() == []
    write(path, ANSWERED, ANSWERED)
    assert len(log.read()) == 2
    path.write_text(REFUSED)
    assert [request.status for request in log.read()] == [502]


def test_a_long_log_is_rotated_while_nginx_writes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_balancer, "LOG_LIMIT", 1000)
    path = tmp_path / "log"
    log = AccessLog(path)
    with path.open("a") as nginx:
        nginx.write(ANSWERED * 5)
        nginx.flush()
        assert len(log.read()) == 5
        assert path.stat().st_size == 0
        assert (tmp_path / "log.1").read_text() == ANSWERED * 5
        nginx.write(REFUSED)
        nginx.flush()
    assert [request.status for request in log.read()] == [502]


def test_lines_of_an_older_edge_belong_to_no_listener(tmp_path: Path) -> None:
    log = AccessLog(tmp_path / "log")
    write(tmp_path / "log", ANSWERED.replace('"listener":8443,', "").replace('"target_seconds":"0.012",', ""))
    load_balancer.count(forward(), log.read())
    assert not metrics.MINUTES


def test_the_thresholds_decide_when_health_changes() -> None:
    health, states = Health(), []
    for passed in (True, False, False, True, False, False, False, True, False, True, True):
        health.record(passed, group())
        states.append(health.healthy)
    assert states == [True, True, True, True, True, True, False, False, False, False, True]


def test_the_first_health_check_decides() -> None:
    health = Health()
    load_balancer.count_hosts(forward(), [health], NOON)
    assert not metrics.MINUTES
    health.record(False, group())
    load_balancer.count_hosts(forward(), [health], NOON)
    assert sums(BOTH) == {"HealthyHostCount": 0, "UnHealthyHostCount": 1}


@pytest.mark.parametrize("other", [{"targets": {}}, {"began": None}])
def test_without_a_target_that_ever_answered_no_hosts_are_counted(other: dict[str, object]) -> None:
    """As in AWS, where both metrics are reported if there are registered targets."""
    health = Health()
    health.record(False, group())
    load_balancer.count_hosts(forward(**other), [health], NOON)
    assert not metrics.MINUTES


def test_all_registered_targets_share_one_health() -> None:
    health = Health()
    health.record(True, group())
    load_balancer.count_hosts(forward(targets={"i-1": {}, "i-2": {}}), [health], NOON)
    assert sums(BOTH) == {"HealthyHostCount": 2, "UnHealthyHostCount": 0}


def test_each_of_several_nodes_counts_for_itself(tmp_path: Path) -> None:
    one, other = Health(), Health()
    one.record(True, group())
    load_balancer.count_hosts(forward(), [one, other], NOON)
    assert sums(BOTH) == {"HealthyHostCount": 1, "UnHealthyHostCount": 0}, "of the other nothing is known yet"
    metrics.MINUTES.clear()
    other.record(False, group())
    load_balancer.count_hosts(forward(), [one, other], NOON)
    assert sums(BOTH) == {"HealthyHostCount": 1, "UnHealthyHostCount": 1}


def test_who_sends_requests_is_told_which_node_is_unhealthy(tmp_path: Path) -> None:
    health, file = Health(), tmp_path / "30080-2"
    health.tell(file)
    assert not file.exists(), "before the first check a target gets requests"
    health.record(False, group())
    health.tell(file)
    assert file.exists()
    for _ in range(2):
        health.record(True, group())
    health.tell(file)
    assert not file.exists()


def test_the_target_is_checked_as_the_group_says_and_as_often() -> None:
    asked = []

    class Target(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["User-Agent"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Target) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        for matcher, healthy in (("200", False), ("200-299", True), ("200,204", True)):
            health, asking = Health(), group(port=server.server_port, matcher={"HttpCode": matcher}, began=None)
            begun = [health.check(asking, "127.0.0.1") for _ in range(2)]  # the second comes too soon
            assert health.healthy is healthy
            assert begun == [True, False]  # whatever the answer is, there is a target
            assert asking.began is not None
        server.shutdown()
    assert asked == [("/readyz", "ELB-HealthChecker/2.0")] * 3
    gone, never = Health(), group(port=server.server_port, began=None)
    gone.check(never, "127.0.0.1")
    assert gone.healthy is False
    assert never.began is None
