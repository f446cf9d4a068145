"""The node's first process: prepares its namespaces, starts the components in order, and keeps them running.

It runs as `python -S -E init.py SPEC.json` inside the namespaces, with what `localcloud.node.spec` returns. It imports
nothing of Longshore, since it has to start in milliseconds and run for weeks. When it ends, all in the node ends.
"""

import contextlib
import ctypes
import http.client
import json
import os
import select
import shutil
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

MS_BIND, MS_REC, MNT_DETACH = 4096, 16384, 2
BACKOFF, BACKOFF_LIMIT = 0.2, 10.0  # seconds before a crashed component is restarted; doubled each time
# CPU shares of the node's two cgroups, where each session of the machine has 1: what serves comes before what starts
# and watches it. Without the second, each of Kubernetes' many threads would weigh as much as all pods together; with
# less than half a session's, its API server is silent beside builds and tests that take all cores.
PODS, REST = 4.0, 0.5
STEADY = 30.0  # seconds of life after which earlier crashes are forgotten
LOG_LIMIT = 20 << 20
UNVERIFIED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE
CONNECTIONS: dict[str, Callable[[str], http.client.HTTPConnection]] = {
    "http": lambda address: http.client.HTTPConnection(address, timeout=1),
    # Only the node's own components on its own loopback are asked, and some have self-signed certificates.
    "https": lambda address: http.client.HTTPSConnection(address, timeout=1, context=UNVERIFIED),
}
libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: str, kind: str | None = None, flags: int = 0) -> None:
    """Mount by the system call, which takes a descriptor's path as it is; the program `mount` would resolve it."""
    arguments = [item and os.fsencode(item) for item in (source, target, kind)]
    if libc.mount(*arguments, ctypes.c_ulong(flags), None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {source} on {target}: {os.strerror(error)}")


def say(text: str) -> None:
    """Write a line to the node's log, unless the disk is full."""
    with contextlib.suppress(OSError):
        print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text, flush=True)


class Component:
    """A process to keep running: started after those it needs, probed until it is ready, restarted when it ends."""

    def __init__(
        self, name: str, argv: list[str], log: str, *, needs: Sequence[str] = (), probe: str = "", stop: float = 3.0
    ) -> None:
        self.name, self.argv, self.log = name, argv, log
        self.needs, self.probe, self.stop = needs, probe, stop
        self.pid: int | None = None
        self.exit = ""
        self.ready = False
        self.restarts = -1
        self.started = self.next_start = self.next_probe = 0.0
        self.backoff = BACKOFF

    def start(self, env: dict[str, str]) -> None:
        self.started, self.next_probe = time.monotonic(), 0.0
        writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        files = [(os.POSIX_SPAWN_OPEN, 1, self.log, writing, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
        self.restarts += 1
        try:
            signals: dict[str, Any] = {"setsid": True, "setsigmask": (), "setsigdef": range(1, 32)}
            self.pid = os.posix_spawn(self.argv[0], self.argv, env, file_actions=files, **signals)
        except OSError as problem:  # say a full disk: it is tried again later
            self.ended(f"could not be started: {problem}")

    def ended(self, how: str) -> None:
        say(f"{self.name} {how}")
        self.backoff = self.backoff if time.monotonic() - self.started < STEADY else BACKOFF
        self.pid, self.exit, self.ready = None, how, False
        self.next_start = time.monotonic() + self.backoff
        self.backoff = min(2 * self.backoff, BACKOFF_LIMIT)

    def look(self) -> None:
        """Probe whether the component is ready, at a rate that costs little."""
        if time.monotonic() < self.next_probe:
            return
        was, self.ready = self.ready, probe(self.probe)
        self.next_probe = time.monotonic() + (10.0 if self.ready else 0.1)
        if self.ready and not was:
            say(f"{self.name} is ready after {time.monotonic() - self.started:.1f} s")

    def limit_log(self) -> None:
        with contextlib.suppress(OSError):
            if os.path.getsize(self.log) > LOG_LIMIT:
                shutil.copyfile(self.log, self.log + ".1")
                os.truncate(self.log, 0)  # its writer appends, so it continues at the new end

    def status(self) -> dict[str, Any]:
        return {"pid": self.pid, "ready": self.ready, "restarts": max(self.restarts, 0), "exit": self.exit}


def probe(url: str) -> bool:
    """Whether URL (unix:PATH, http://… or https://…) answers, HTTP with status 200."""
    scheme, _, rest = url.partition(":")
    try:
        if scheme == "unix":
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(rest)
            return True
        address, _, path = rest.removeprefix("//").partition("/")
        with contextlib.closing(CONNECTIONS[scheme](address)) as connection:
            connection.request("GET", f"/{path}")
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


class Node:
    """The components of the node, and the loop that watches them."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.components = [Component(**fields) for fields in spec["components"]]
        self.by_name = {component.name: component for component in self.components}
        self.env, self.status_file = spec["env"], spec["status"]
        self.written = ""
        self.stopping = False
        reader, self.waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.wake = reader
        signal.set_wakeup_fd(self.waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.ask_to_stop)

    def ask_to_stop(self, *_: object) -> None:
        self.stopping = True

    def run(self) -> None:
        last = time.monotonic()
        while not self.stopping:
            self.reap()
            for component in self.components:
                if component.pid is not None:
                    component.look()
                elif time.monotonic() >= component.next_start and all(self.by_name[n].ready for n in component.needs):
                    component.start(self.env)
            self.write_status()
            if time.monotonic() - last > 60:
                last = time.monotonic()
                for component in self.components:
                    component.limit_log()
            self.sleep(0.05 if not all(c.ready for c in self.components) else 1.0)
        self.stop_all()

    def sleep(self, seconds: float) -> None:
        """Sleep until a signal arrives, for at most SECONDS."""
        if select.select([self.wake], [], [], seconds)[0]:
            os.read(self.wake, 4096)

    def reap(self) -> None:
        """Collect every child that has ended, orphans of containers among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for component in self.components:
                if component.pid == pid:
                    code = os.waitstatus_to_exitcode(status)
                    component.ended(f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}")

    def stop_all(self) -> None:
        """Stop the components in waves; what does not stop in time ends with the namespaces."""
        say("stopping")
        waves: dict[float, list[Component]] = {}
        for component in self.components:
            waves.setdefault(component.stop, []).append(component)
        for seconds, wave in sorted(waves.items()):
            self.end(wave, seconds)
        say("stopped")

    def end(self, wave: list[Component], seconds: float) -> None:
        for component in wave:
            if component.pid is not None:
                os.kill(component.pid, signal.SIGTERM)
        until = time.monotonic() + seconds
        while any(component.pid is not None for component in wave) and time.monotonic() < until:
            self.reap()
            self.sleep(0.02)

    def write_status(self) -> None:
        components = {component.name: component.status() for component in self.components}
        ready = all(component.ready for component in self.components)
        text = json.dumps({"ready": ready, "components": components}, indent=1)
        if text == self.written:
            return
        try:
            Path(self.status_file + ".draft").write_text(text)
            os.replace(self.status_file + ".draft", self.status_file)
            self.written = text
        except OSError:  # a full disk: the node keeps running, and this is tried again
            pass


def prepare(spec: dict[str, Any]) -> None:
    """Prepare the namespaces: mounts that hide the machine's folders, sysctls, cgroups."""
    release_namespaces()
    cover(spec["cover"], spec["keep"])
    for path, value in spec["pinned"].items():
        pin(path, value, spec["scratch"])
    for path, value in spec["sysctl"].items():
        try:
            Path("/proc/sys", path).write_text(value)
        except OSError as problem:
            say(f"{path} could not be set: {problem}")
    make_cgroups(spec["cgroup"])
    for folder in spec["folders"]:
        os.makedirs(folder, exist_ok=True)


def release_namespaces() -> None:
    """Unmount other environments' network namespaces, copied into this mount namespace: they could not be removed."""
    with open("/proc/self/mounts") as table:
        targets = [line.split()[1] for line in table if line.split()[2] == "nsfs"]
    for target in targets:
        libc.umount2(os.fsencode(target), MNT_DETACH)


def cover(folders: list[str], keep: list[str]) -> None:
    """Mount an empty file system over each of FOLDERS, as after a reboot; the paths KEEP stay visible."""
    held = [(path, os.open(path, os.O_PATH)) for path in keep if os.path.isdir(path)]
    for folder in folders:
        if os.path.isdir(folder):
            mount("tmpfs", folder, "tmpfs")
    for path, descriptor in held:
        if not os.path.isdir(path):
            os.makedirs(path)
            mount(f"/proc/self/fd/{descriptor}", path, flags=MS_BIND | MS_REC)
        os.close(descriptor)


def pin(path: str, value: str, scratch: str) -> None:
    """Make the sysctl PATH seem to be VALUE, so that the kubelet does not set it for the whole machine."""
    os.makedirs(scratch, exist_ok=True)
    shown = os.path.join(scratch, path.replace("/", "."))
    Path(shown).write_text(value + "\n")
    if os.path.exists(f"/proc/sys/{path}"):
        mount(shown, f"/proc/sys/{path}", flags=MS_BIND)


def make_cgroups(name: str) -> None:
    """Create the pods' cgroup in every hierarchy, and one for all else in the node, which this process joins."""
    root = Path("/sys/fs/cgroup")
    unified = root / "cgroup.controllers"  # exists only if version 2 is the only one
    controllers = unified.read_text().split() if unified.exists() else []
    for hierarchy in [root] if controllers else [file.parent for file in root.glob("*/cgroup.procs")]:
        pods, rest = hierarchy / name, hierarchy / f"{name}-node"
        for own, share in ((pods, PODS), (rest, REST)):
            own.mkdir(exist_ok=True)
            for file in ("cpuset.cpus", "cpuset.mems"):
                if (hierarchy / file).exists():  # a new cpuset is empty, and accepts no process until it is filled
                    (own / file).write_text((hierarchy / file).read_text())
            for controller, level in product(controllers, (root, pods)):  # the kubelet passes them on below
                with contextlib.suppress(OSError):
                    (level / "cgroup.subtree_control").write_text(f"+{controller}")
            for file, unit in (("cpu.shares", 1024), ("cpu.weight", 100)):
                if (own / file).exists():
                    (own / file).write_text(str(int(share * unit)))
        (rest / "cgroup.procs").write_text("0")


def main() -> None:
    """Prepare the node, then run it until it is asked to stop."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    prepare(spec)
    os.chdir("/")
    Node(spec).run()


if __name__ == "__main__":
    main()
