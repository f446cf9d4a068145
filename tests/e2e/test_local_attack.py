"""What others on this machine can do to an environment: another user, a pod, and a page in a browser.

Each tries every way past the local AWS's signatures (tests/unit/localcloud/aws/test_gate.py), and what would follow.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.aws.call import READS
from tests.e2e import pods
from tests.e2e.gitlab import GitLab
from tests.e2e.project import Project
from tests.unit.localcloud.aws.unsigned import FORM, UNSIGNED

NOBODY = 65534
REFUSED = {400, 401, 403, 404}
# Runs in a pod; the arguments are the address of the local AWS and the calls, both as JSON.
IN_POD = """
import http.client, json, pathlib, ssl, sys
address, calls, api = json.loads(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
answers = {}
for name, (method, path, headers, body) in calls.items():
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, path, body.encode(), headers)
    answers[name] = connection.getresponse().status
    connection.close()
token = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
context = ssl._create_unverified_context()
connection = http.client.HTTPSConnection(api, timeout=10, context=context)
headers = {"Authorization": f"Bearer {token.read_text()}"} if token.exists() else {}
connection.request("POST", "/api/v1/namespaces/default/pods", b"{}", headers)
answers["a pod with the host's files"] = connection.getresponse().status
print(json.dumps(answers))
"""


def calls() -> dict[str, tuple[str, str, dict[str, str], str]]:
    """Return the calls that a stranger may try, by what is special in them."""
    own = {route: ("POST", f"/_local/{route}", dict[str, str](), "{}") for route in ("save", "authenticate")}
    return {
        name: (how, path, {"Content-Type": FORM, **more}, body)
        for name, (how, path, more, body) in {**UNSIGNED, **own}.items()
    }


def ask(address: str, method: str, path: str, headers: dict[str, str], body: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, body.encode(), headers)
        return connection.getresponse().status
    finally:
        connection.close()


def as_nobody(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what WORK returns in a process of the user 65534."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writer, json.dumps(work()).encode())
        except BaseException as problem:  # noqa: BLE001 (the parent has to know)
            os.write(writer, json.dumps({"problem": repr(problem)}).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        text = answers.read()
    os.waitpid(child, 0)
    return json.loads(text)  # type: ignore[no-any-return]


def writes(log: str) -> list[str]:
    """Return the lines of the local AWS's LOG about calls that it accepted and that are not known to read only."""
    found = []
    for line in log.splitlines():
        action, _, rest = line.split(" ", 4)[4].partition(" ")
        if action in ("GET", "POST", "PUT", "DELETE", "HEAD"):
            path, _, rest = rest.partition(" ")
            action = f"{action} {path}"
        if rest[:1] in "23" and not action.startswith(READS) and "/_local/" not in action:
            found.append(line)
    return found


@pytest.fixture
def attacked(live: Project) -> Iterator[Project]:
    """The deployed project; afterwards its AWS must have accepted nothing."""
    log = live.state() / "aws" / "requests.log"
    before, users = log.stat().st_size, live.client("iam").list_users()["Users"]
    yield live
    assert writes(log.read_text()[before:]) == []
    assert live.client("iam").list_users()["Users"] == users


def test_another_user_of_this_machine_is_refused_at_each_step(attacked: Project) -> None:
    state, run, node = attacked.state(), attacked.run(), attacked.kubectl("get", "node", "local")
    (node_ip,) = [each["address"] for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    secrets = [
        *(state / "aws" / name for name in ("credentials", "secret", "snapshot", "admin.conf")),
        *(state / "pki" / name for name in ("admin.conf", "admin.key", "sa.key", "ca.key", "edge-ca.key")),
        state / "docker" / "config.json",
        *(state / "node" / "webhook.yaml", state / "edge" / "edge.key"),
    ]
    assert all(file.exists() for file in secrets)

    def work() -> dict[str, Any]:
        address = f"127.0.0.1:{attacked.aws_port}"
        answers: dict[str, Any] = {name: ask(address, *call) for name, call in calls().items()}
        answers["the registry"] = ask(f"{node_ip}:5001", "POST", "/v2/app/blobs/uploads/", {}, "")
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(f"{node_ip}:6443", timeout=10, context=context)
        connection.request("GET", "/api/v1/namespaces/kube-system/secrets")
        answers["the API server"] = connection.getresponse().status
        for file in secrets:
            answers[str(file)] = 403 if not os.access(file, os.R_OK) else 200
        with socket.socket(socket.AF_UNIX) as client:
            answers["BuildKit"] = 403 if client.connect_ex(str(run / "buildkit.sock")) else 200
        return answers

    answers = as_nobody(work)
    assert {name: status for name, status in answers.items() if status not in REFUSED} == {}


def test_a_job_s_role_is_not_to_be_had_without_gitlab_s_token(attacked: Project) -> None:
    role = attacked.invoke("infra.output", "-e", attacked.name, "--json").data["ci_role_arns"]["apply"]
    gitlab = GitLab(attacked)
    for token in ("a" * 20, gitlab.token("some-branch"), gitlab.issuer.token()):
        form = f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=a&RoleArn={role}"
        body = f"{form}&WebIdentityToken={token}"
        assert ask(f"127.0.0.1:{attacked.aws_port}", "POST", "/", {"Content-Type": FORM}, body) in REFUSED


def test_a_pod_is_refused_at_each_step(attacked: Project, tmp_path: Path) -> None:
    """One that no policy keeps from sending anything."""
    about = json.loads((attacked.state() / "about.json").read_text())
    link = json.loads((attacked.state() / "place.json").read_text())["link"]
    first = link.partition("/")[0].split(".")
    host, node = (".".join([*first[:3], str(int(first[3]) + step)]) for step in (1, 2))
    arguments = [json.dumps(each) for each in (f"{host}:{about['aws_port']}", calls(), f"{node}:6443")]
    with pods.namespace(attacked, "attack"):
        pods.apply(attacked, "attack", tmp_path, pods.pod(attacked, "attacker", {}))
        attacked.admin("wait", "-n", "attack", "--for=condition=Ready", "pod/attacker", "--timeout=50s")
        command = ("python", "-c", IN_POD, *arguments)
        answers = json.loads(attacked.admin("exec", "-n", "attack", "attacker", "--", *command))
    assert {name: status for name, status in answers.items() if status not in REFUSED} == {}
    (app, *_) = sorted(attacked.standing())
    assert pods.answers(attacked, attacked.namespace, app, f"{host}:{about['aws_port']}") == [pods.NONE]


def test_what_a_page_sends_is_refused(attacked: Project) -> None:
    """As a browser sends it, and as one whose name for this machine is the page's own (DNS rebinding).

    Chromium itself tries in tests/integration/test_pages.py.
    """
    address = f"127.0.0.1:{attacked.aws_port}"
    page = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    rebound = {"Host": f"evil.example:{attacked.aws_port}"}
    for method, path, headers, body in calls().values():
        for more in (page, rebound):
            assert ask(address, method, path, {**headers, **more}, body) in REFUSED


def test_the_servers_run_as_users_of_their_own(attacked: Project) -> None:
    users = set()
    for part in ("aws", "registry", "edge"):
        lines = Path(f"/proc/{attacked.pid_of(part)}/status").read_text().splitlines()
        fields = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
        users |= set(fields["Uid"])
        assert {*fields["CapEff"], *fields["CapPrm"], *fields["CapBnd"]} == {"0" * 16}
        assert fields["NoNewPrivs"] == ["1"]
    assert len(users) == 3
    assert "0" not in users


def test_the_list_shows_the_environment_and_its_ports(attacked: Project) -> None:
    rows = attacked.invoke("local.list", "--json").data["environments"]
    (row,) = (row for row in rows if row["id"] == attacked.state().name)
    assert (row["up"], row["orphaned"], row["checkout"]) == (True, False, str(attacked.folder))
    assert row["ports"] == sorted((attacked.aws_port, attacked.http_port, attacked.https_port))
    assert row["disk_bytes"] > 1e6


def test_no_alarm_rings_from_before_the_first_release(attacked: Project) -> None:
    assert attacked.invoke("status", "-e", attacked.name, "--json").data["alarms"] == []
