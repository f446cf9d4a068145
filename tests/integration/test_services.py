"""What a suite of tests needs beside it (`[gates.tests.NAME.services]`), really started, really gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration.gated import ROOT, git, invoke, project, settings

__all__ = ["project"]

SUITE = '[gates.tests.unit]\npaths = ["tests/unit"]\nreads = ["**"]\n'
SERVICE = f"""[gates.tests.unit.services.store]
run = ["{sys.executable}", "server.py", "{{port}}", "{{folder}}"]
env = {{ STORE_URL = "http://127.0.0.1:{{port}}/", STORE_FOLDER = "{{folder}}" }}
deadline = 10
"""
SERVER = """import http.server, os, sys, time

port, folder = int(sys.argv[1]), sys.argv[2]
print("a word of the store's", flush=True)
open(os.path.join(folder, "kept"), "w").write("stored")
time.sleep(0.3)
http.server.ThreadingHTTPServer(
    ("127.0.0.1", port), lambda *a: http.server.SimpleHTTPRequestHandler(*a, directory=folder)
).serve_forever()
"""
TESTS = """import os
import pathlib
import urllib.request


def test_the_store_answers() -> None:
    assert urllib.request.urlopen(os.environ["STORE_URL"] + "kept").read() == b"stored"
    assert pathlib.Path(os.environ["STORE_FOLDER"], "kept").exists()
    pathlib.Path(SEEN).write_text(os.environ["STORE_URL"] + " " + os.environ["STORE_FOLDER"])
"""
ENDS = 'import sys\n\nprint("no such store")\nsys.exit(3)\n'
DEAF = "import time\n\ntime.sleep(60)\n"


@pytest.fixture
def served(project: Path) -> Path:
    """The project with a suite that has a service."""
    commit(project, {"server.py": SERVER, "tests/unit/test_store.py": TESTS.replace("SEEN", repr(str(seen(project))))})
    settings(project, SUITE + SERVICE)
    return project


def seen(project: Path) -> Path:
    """The file in which the tests say what they were given."""
    return project.parent / "seen"


def commit(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (project / name).write_text(text, encoding="utf-8")
    git(project, "add", ".")
    git(project, "commit", "-qm", "Change")


def left(project: Path) -> list[str]:
    """The command lines of servers that are left."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if words[1:2] == ["server.py"] and (process / "cwd").readlink().is_relative_to(project):
                lines.append(" ".join(words))
    return lines


def log(project: Path) -> str:
    """What the service has printed."""
    (path,) = (project / ".longshore/logs").glob("*/test-unit-store.log")
    return path.read_text(encoding="utf-8")


def test_tests_reach_their_service_which_ends_with_them(served: Path) -> None:
    code, document, heard = invoke(served, "test")
    assert code == 0, (document, heard)
    url, folder = seen(served).read_text().split()
    assert url.startswith("http://127.0.0.1:")
    assert not Path(folder).exists()
    assert not left(served)
    assert "a word of the store's" in log(served)
    assert invoke(served, "test")[0] == 0
    assert seen(served).read_text().split()[0] == url, "what is up to date starts nothing"


def test_another_service_has_the_tests_run_again(served: Path) -> None:
    assert invoke(served, "test")[0] == 0
    seen(served).unlink()
    settings(served, SUITE + SERVICE.replace("deadline = 10", "deadline = 11"))
    assert invoke(served, "test")[0] == 0
    assert seen(served).exists()


@pytest.mark.parametrize(
    ("server", "said"),
    [
        pytest.param(
            ENDS, "the service store of [gates.tests.unit] ended with exit code 3 before it listened", id="ends"
        ),
        pytest.param(DEAF, "the service store of [gates.tests.unit] does not listen on its port after 1 s", id="deaf"),
    ],
)
def test_one_that_does_not_serve_fails_the_gate(served: Path, server: str, said: str) -> None:
    commit(served, {"server.py": server})
    settings(served, SUITE + SERVICE.replace("deadline = 10", "deadline = 1" if server == DEAF else "deadline = 10"))
    code, document, heard = invoke(served, "test")
    assert (code, document["error"]) == (5, said)
    assert ("no such store" in heard) == (server == ENDS)
    assert not seen(served).exists()
    assert not left(served)


def test_one_that_is_not_installed_is_missing(served: Path) -> None:
    settings(served, SUITE + SERVICE.replace(sys.executable, "no-such-store"))
    code, document, _ = invoke(served, "test")
    assert code == 3
    assert "no-such-store is not installed" in document["error"]
    assert "[gates.tests.unit.services.store]" in document["hint"]


def test_one_that_dies_meanwhile_is_named(served: Path) -> None:
    dies = SERVER.replace("time.sleep(0.3)", "import threading; threading.Timer(1, lambda: os._exit(4)).start()")
    waits = TESTS.replace(
        'STORE_FOLDER"], "kept").exists()', 'STORE_FOLDER"]).exists()\n    import time; time.sleep(2)'
    )
    commit(served, {"server.py": dies, "tests/unit/test_store.py": waits.replace("SEEN", repr(str(seen(served))))})
    code, document, _ = invoke(served, "test")
    assert code == 5
    assert document["error"] == "the service store of [gates.tests.unit] ended with exit code 4 while the tests ran"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_none_is_left_where_the_run_is_ended(served: Path, number: signal.Signals) -> None:
    slow = TESTS.replace("SEEN", repr(str(seen(served)))) + "    import time; time.sleep(60)\n"
    commit(served, {"tests/unit/test_store.py": slow})
    env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(served.parent / "state")}
    running = subprocess.Popen([sys.executable, "-m", "invoke", "test"], cwd=served, env=env)
    until(seen(served).exists)
    assert left(served)
    running.send_signal(number)
    running.wait(30)
    until(lambda: not left(served))


def until(holds: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.1)
