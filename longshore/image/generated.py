"""The Dockerfile of an application that has none: its lock, its server, its Python, and nothing else decides it.

The lock's own tool says what it pins, in a stage of its own; pip installs that, with the machine's settings for pip.
The application runs from /srv in a virtualenv at /opt/venv, as a user without rights.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from longshore.errors import BadInput
from longshore.image import assets, import_path, procfile, served
from longshore.settings.project import Application
from longshore.snapshot import context, dependencies, locks, python
from longshore.snapshot.requirements import FREEZE, Requirements
from longshore.snapshot.snapshot import Snapshot

# Installed where the lock has none.
SERVERS = {"gunicorn": "gunicorn==27.0.1", "uvicorn": "uvicorn==0.54.0", "waitress-serve": "waitress==3.0.2"}
RUNS_NOTHING = "FLASK_RUN_FROM_CLI=true"  # Flask ignores `app.run()` then
WEBSOCKET = "geventwebsocket.gunicorn.workers.GeventWebSocketWorker"
SOCKETIO = {"eventlet": "eventlet", "gevent-websocket": WEBSOCKET, "gevent": "gevent"}  # by what is installed
EVERYWHERE = "0.0.0.0"  # noqa: S104 # nosec B104 - of a container, in whose network nothing else listens
MOUNT = "--mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=false"
VENV = "/opt/venv/bin/pip"
PIP = f"RUN {MOUNT} \\\n    {VENV} install --no-cache-dir --disable-pip-version-check"
PINS = "/lock/requirements.longshore"
# The lines with hashes of an export, each of which ends with a backslash, and the others; options go into both files.
SPLIT = rf""" \
 && touch {PINS}.hashed {PINS}.others \
 && awk '/^--/ {{print >> (F ".hashed"); print >> (F ".others"); next}} \
         /^[^ #]/ {{to = (/\\$/ ? ".hashed" : ".others")}} \
         to {{print >> (F to)}}' F={PINS} {PINS}"""
_APART = [f"{PIP} --no-deps --requirement={PINS}.{part}" for part in ("hashed", "others")]
WINDOWS = re.compile(r";.*\b(?:sys_platform|platform_system|os_name)\s*==\s*[\"'](?:win32|Windows|nt)\b")
# One that may be the application's: not in a hidden folder, and not what pipelines, tests or documents need.
DOCKERFILE = re.compile(
    r"(?!\.|(?:ci|docs|examples|tests)/)(?:.*/)?(?:(?:[\w-]+\.)?Dockerfile|Containerfile|Dockerfile[.-]\w+)"
)
MADE_BY = {"pyproject.toml": "`poetry lock` or `uv lock`", "Pipfile": "`pipenv lock`"}
MADE_BY |= dict.fromkeys(("setup.py", "environment.yml", "environment.yaml"), FREEZE)
OLD = re.compile(r"(?im)^psycopg2[-_]binary(?=\s*==\s*2\.(?:[0-8]\b|9\.[0-4]\b))")  # 3.11 has no wheel of it
WSGI = re.compile(
    r'(?im)^connexion(?=\s*(?:\[[^]\n]*\])?\s*(?:[=~]=\s*2\b|.*<\s*3\b))|(?<=name = ")connexion(?="\nversion = "2\.)'
)
NAMED = re.compile(r"(?m)^[\s\"]*(?:name = \")?([A-Za-z][\w.-]*)")
# Debian's packages that a release needs to be built from source, and to run; wheels bring their own.
SYSTEM = {
    "psycopg2": (("gcc", "libc6-dev", "libpq-dev"), ("libpq5",)),
    "psycopg": ((), ("libpq5",)),
    "psycopg-c": (("gcc", "libc6-dev", "libpq-dev"), ("libpq5",)),
    "mysqlclient": (("gcc", "libc6-dev", "pkg-config", "libmariadb-dev"), ("libmariadb3",)),
    "flask-mysqldb": (("gcc", "libc6-dev", "pkg-config", "libmariadb-dev"), ("libmariadb3",)),
    "opencv-python": ((), ("libgl1", "libglib2.0-0")),
    "uwsgi": (("gcc", "libc6-dev"), ()),
    "python-magic": ((), ("libmagic1",)),
}


def dockerfile(app: Application, sources: Snapshot) -> str:
    """Return the Dockerfile for the application in SOURCES.

    Raises BadInput where nothing says what it depends on, or what to serve, and where it is for another Python.
    """
    _refuse_others(app, sources)
    lock = _lock(app, sources)
    python.check_image(app, sources)
    pins = _pins(lock, sources)
    needed = [SYSTEM[name] for name in sorted(pins.names & SYSTEM.keys()) if f"{name}-binary" not in pins.names]
    build, run = (sorted({package for each in needed for package in each[part]}) for part in (0, 1))
    command, file = serving(app, sources, pins.names)
    building = assets.files(sources.context(app.dockerfile), sources.text)
    _require((*pins.files, *building, *filter(None, [file])), app, sources)
    paths = ":".join(f"/srv/{folder}" for folder in import_path.roots(app, sources, file))
    built = assets.stage(app.base_image, PIP, building, sources.text)
    lines = [
        *built,
        f"FROM {app.base_image} AS dependencies",
        *_apt([*build, *(["ca-certificates", "git"] if pins.git else [])]),
        *("WORKDIR /lock", "RUN python -m venv /opt/venv"),
        *(["WORKDIR /srv", "COPY . ."] if pins.local else []),  # where it stays: an editable install is a path
        *pins.install,
        *_servers(command, pins),
        # What a release brings as templates, or for another Python, cannot be compiled.
        "RUN /opt/venv/bin/python -m compileall -q --invalidation-mode=unchecked-hash /opt/venv/lib || true",
        "",
        *(f"FROM {app.base_image}", *_apt(run)),
        "ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1",
        *([f"ENV PYTHONPATH={shlex.quote(paths)}"] if paths else []),
        "COPY --from=dependencies /opt/venv /opt/venv",
        "WORKDIR /srv",
        "COPY --from=assets /srv ." if built else "COPY . .",
        "USER 10001:10001",
        f"EXPOSE {app.port}",
        f"CMD {json.dumps(command)}",
    ]
    return "# Made by Longshore: the project has no Dockerfile.\n" + "\n".join(lines) + "\n"


def _refuse_others(app: Application, sources: Snapshot) -> None:
    """Raise BadInput where SOURCES have a Dockerfile of Python's by another name, and nobody has said what to serve."""
    for name in sources.entries if not app.command else ():
        if DOCKERFILE.fullmatch(name) and python.in_dockerfile(sources.text(name)):
            hint = f'`dockerfile = "{name}"` under [application] has it built, `command` an image of ours'
            raise BadInput(f"{app.dockerfile} does not exist, but {name} does", hint=hint)


def _lock(app: Application, sources: Snapshot) -> str:
    """Return the file that says which releases the application depends on."""
    if found := dependencies.required(app, sources) or dependencies.described(app, sources):
        return found
    sentence = f"{app.dockerfile} does not exist, and nothing says what the application depends on"
    lists = [f'`requirements = "{name}"` under [application] takes it' for name in dependencies.listed(sources)]
    made = [f"{how} makes one of {name}" for name in sources.entries if (how := MADE_BY.get(name.rpartition("/")[2]))]
    other = f"add a Dockerfile, or one of {', '.join(locks.KINDS)}; `requirements` under [application] names another"
    raise BadInput(sentence, hint="; ".join((*lists[:3], other, *made[:3])))


class _Pins(Struct, frozen=True, kw_only=True):
    """What a lock has installed: the `names` of releases, by the instructions `install`, from `files` of the sources.

    `known` says whether nothing else is installed. `git` has to be there for it, and where `local` is true the sources.
    """

    names: frozenset[str]
    known: bool = False
    files: tuple[str, ...]
    git: bool
    local: bool
    install: list[str]


def _pins(lock: str, sources: Snapshot) -> _Pins:
    home = locks.home(lock, sources)
    if kind := locks.export(lock):
        names, (kinds, _) = _names(sources.text(lock)), locks.elsewhere(lock, sources)
        local, files = bool(kinds & set(locks.LOCAL)), (f"{home}{locks.PROJECT}", lock)
        begin = _inside(home) if local else [f"COPY {json.dumps([*files, './'])}"]
        install = [*begin, *_exported(kind, apart=bool(kinds))]
        return _Pins(names=names, files=files, git="git" in kinds, local=local, install=install)
    said = locks.said(lock, sources)
    text = "\n".join(line for line in said.lines if not WINDOWS.search(line))
    read = locks.reader(lock) or said.less
    if read:
        install = _converted(said, home)
    elif said.local:
        install = [*_inside(home), f"{PIP} --requirement={shlex.quote(lock.removeprefix(home))}"]
    else:
        copied = (f"COPY {json.dumps([name, name])}" for name in said.files)
        install = [*copied, f"{PIP} --requirement={shlex.quote(lock)}"]
    found, git = _names(OLD.sub("psycopg2", text)), "git+" in text
    return _Pins(names=found, known=not said.local, files=said.files, git=git, local=said.local, install=install)


def _names(text: str) -> frozenset[str]:
    return frozenset(re.sub(r"[-_.]+", "-", name.lower()) for name in NAMED.findall(WSGI.sub("connexion2", text)))


def _inside(home: str) -> list[str]:
    """Return the instruction to go on in the folder HOME of the sources, none at their top."""
    return [f"WORKDIR {json.dumps(f'/srv/{home}'.rstrip('/'))}"] if home else []


def _exported(kind: locks.Export, *, apart: bool) -> list[str]:
    """Return the instructions that have the tool of a lock of KIND, which lies here, export it, and pip install that.

    What has a hash is installed APART from what has none, from git for instance: pip takes no mixture.
    """
    tool, export = " ".join(kind.packages), " ".join((*kind.command, *kind.production))
    pip = "/opt/lock/bin/pip install --no-cache-dir --disable-pip-version-check"
    run = f"RUN {MOUNT} \\\n    python -m venv /opt/lock && {pip} {tool} \\\n && /opt/lock/bin/{export} > {PINS}"
    return [f"{run}{SPLIT}", *_APART] if apart else [run, f"{PIP} --requirement={PINS}"]


def _converted(said: Requirements, home: str) -> list[str]:
    """Return the instructions that install what is SAID, which has all that there is: nothing is to be resolved.

    The project itself is in the folder HOME.
    """
    folder = f"./{home}".rstrip("/")
    itself = [] if said.project is None else [f"{folder}[{','.join(said.project)}]".removesuffix("[]")]
    bounds = [_file(f"{PINS}.bounds", said.constraints)] if said.constraints else []
    lines = (*(f"--constraint={PINS}.bounds" for _ in bounds), *said.lines, *itself)
    hashed = [line for line in lines if "--hash=" in line]
    others = [line for line in lines if line not in hashed]
    if not hashed or not others:
        return [*bounds, _file(PINS, lines), f"{PIP} --requirement={PINS}"]
    return [*bounds, _file(f"{PINS}.hashed", hashed), _file(f"{PINS}.others", others), *_APART]


def _file(name: str, lines: Iterable[str]) -> str:
    return "\n".join((f"COPY <<'EOF' {name}", *lines, "EOF"))


def _servers(command: Sequence[str], pins: _Pins) -> list[str]:
    """Return the instructions that install the servers of COMMAND that PINS have not; of an export, the image knows."""
    used = re.split(r"[^\w-]+", " ".join(command))
    locked = {name for name, release in SERVERS.items() if pins.known and release.partition("==")[0] in pins.names}
    missing = [name for name in SERVERS if name in used and name not in locked]
    guards = {name: "" if pins.known else f"test -x /opt/venv/bin/{name} || " for name in missing}
    # Later releases of gunicorn take recent ones of gevent alone, and none of eventlet.
    pinned = SERVERS | ({"gunicorn": "gunicorn==23.0.0"} if pins.names & {"eventlet", "gevent"} else {})
    return [f"{PIP} {pinned[name]}".replace(VENV, f"{guards[name]}{VENV}") for name in missing]


def _require(files: Iterable[str], app: Application, sources: Snapshot) -> None:
    """Raise BadInput where the builder is not sent one of FILES."""
    sent, ignore = set(sources.context(app.dockerfile)), context.ignore_file(app.dockerfile, sources.entries)
    for name in files:
        if name not in sources.entries:
            raise BadInput(f"the sources have no {name}, which the image is made from", hint="add it to git")
        if name not in sent:
            sentence = f"{ignore or 'Longshore'} leaves out {name}, which the image is made from"
            raise BadInput(sentence, hint=f"`!{name}` as the last line of {ignore or context.IGNORE} lets it in")


def _apt(packages: Sequence[str]) -> list[str]:
    if not packages:
        return []
    install = f"apt-get install -y --no-install-recommends {' '.join(packages)}"
    return [f"RUN apt-get update && {install} && rm -rf /var/lib/apt/lists/*"]


def serving(
    app: Application, sources: Snapshot, names: AbstractSet[str] = frozenset(), host: str = EVERYWHERE
) -> tuple[list[str], str]:
    """Return what serves: the settings' command, that of a Procfile, or a server with what looks like the application.

    NAMES are those of the releases that the lock pins; the server listens on HOST. The other is the file that has the
    application, if that is known. Raises BadInput where nothing does.
    """
    if app.command:
        return list(app.command), ""
    if web := procfile.processes(sources).get("web"):
        return web, ""
    found = served.find(app, sources)
    target = f"{found.module}:{found.attribute}"
    if found.asynchronous(names, sources):
        asked = [f"--host={host}", f"--port={app.port}", *(["--factory"] if found.call else [])]
        return ["uvicorn", *asked, target], found.file
    waitress = "waitress" in names and "gunicorn" not in names and found.call in ("", "()")
    if waitress or "." in found.attribute:  # gunicorn takes no attribute of an object
        quiet, called = ["env", RUNS_NOTHING] if found.runs else [], ["--call"] if found.call else []
        return [*quiet, "waitress-serve", f"--listen={host}:{app.port}", *called, target], found.file
    asked = [f"--bind={host}:{app.port}", *_workers(names, sources), *([f"--env={RUNS_NOTHING}"] * found.runs)]
    return ["gunicorn", *asked, f"{target}{found.call}"], found.file


def _workers(names: AbstractSet[str], sources: Snapshot) -> list[str]:
    """Return the options for gunicorn's workers; one process where Socket.IO keeps its clients in memory."""
    chosen = next((f"--worker-class={kind}" for name, kind in SOCKETIO.items() if name in names), "--threads=100")
    usual = ["--workers=1", chosen] if "flask-socketio" in names else ["--workers=2", "--threads=8"]
    return [] if "gunicorn.conf.py" in sources.entries else usual  # which it reads
