"""What a page in Chromium can do to the local AWS: nothing, and it learns nothing either."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.aws_process import AwsProcess

PAGE = """<body><script>
const to = %s, form = "Action=CreateUser&UserName=intruder&Version=2010-05-08";
const kind = {"Content-Type": "application/x-www-form-urlencoded"};
const tries = ["/", "/?Action=AssumeRoleWithWebIdentity", "/moto-api/reset", "/_local/save"].flatMap(path => [
  fetch(to + path, {method: "POST", mode: "no-cors", headers: kind, body: form}),
  fetch(to + path, {method: "POST", headers: kind, body: form}).then(answer => answer.text()).then(() => "read"),
]);
Promise.allSettled(tries).then(ended => {
  document.body.innerText = "ended " + ended.map(one => one.value === "read" ? "READ" : "closed").join(" ");
});
</script></body>"""


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[AwsProcess]:
    process = AwsProcess(tmp_path / "state")
    process.start()
    yield process
    process.end(kill=True)


def shown(url: str, folder: Path) -> str:
    """Return the page at URL as Chromium has it ten seconds later, where evil.example is this machine."""
    program = shutil.which("chromium")
    assert program, "chromium is not on the PATH: `apt-get install chromium`"
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}")
    network = ("--host-resolver-rules=MAP evil.example 127.0.0.1", "--no-proxy-server")
    argv = [program, *options, *network, "--virtual-time-budget=10000", "--dump-dom", url]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_page_writes_and_reads_nothing(aws: AwsProcess, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE % json.dumps(aws.url))
    text = shown((tmp_path / "page.html").as_uri(), tmp_path)
    assert "ended closed" in text
    assert "READ" not in text.partition("</script>")[2]
    log = (aws.folder / "requests.log").read_text().splitlines()
    assert len(log) >= 8
    assert not [line for line in log if " 403 " not in line and " 404 " not in line]
    assert [user["UserName"] for user in aws.client("iam").list_users()["Users"]] == ["operator"]


def test_a_page_whose_name_is_made_to_mean_this_machine_gets_no_answer(aws: AwsProcess, tmp_path: Path) -> None:
    text = shown(f"http://evil.example:{aws.port}/_local/health", tmp_path)
    assert "AccessDenied" in text
    assert "ok" not in text.lower().split("<body")[1].replace("accessdenied", "")
