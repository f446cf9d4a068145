"""Answers for an application that Kubernetes and a release can ask nothing. Python loads it before anything else.

An image of Longshore has this file on its PYTHONPATH, in a layer above the application's own. Where a server takes its
application, it gets one that answers the paths below and leaves everything else to the application's own. While the pod
drains, answers carry `Connection: close`. It has to load under any Python 3 that an image may have, so it uses the
standard library alone, and imports late what a program that serves nothing would wait for.
"""

from __future__ import annotations

import os
import sys
from typing import Any

OURS = "/.longshore/"
MARK = os.environ.get("LONGSHORE_DRAINING") or "/tmp/draining"  # noqa: S108 # nosec B108 - made by the preStop hook
CLOSE = ("Connection", "close")
KEEP = 75  # seconds: a load balancer keeps connections for 60, and has to be the one that closes them


def expand() -> None:
    """Put the secrets that are wanted there into variables, too; one that is set stays."""
    for name in os.environ.get("LONGSHORE_EXPANDS", "").split():
        path = os.environ.get(f"{name}_FILE")
        if path and name not in os.environ:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                os.environ[name] = file.read().rstrip("\n")


def began() -> float:
    """Return when this container started, to the second: its volume may hold the mark of one before it."""
    try:
        with open("/proc/1/stat", encoding="utf-8") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="utf-8") as file:
            boot = next(int(line.split()[1]) for line in file if line.startswith("btime"))
        return boot + ticks / os.sysconf("SC_CLK_TCK") - 1
    except (OSError, ValueError, LookupError, StopIteration):
        return 0.0


def draining() -> bool:
    """Return whether the pod is to get no new requests."""
    try:
        return os.stat(MARK).st_mtime >= began()
    except OSError:
        return False


def answer(method: str, path: str) -> tuple[str, bytes] | None:
    """Return status and body of what METHOD PATH is answered with; None where the application has to."""
    if not path.startswith(OURS) or method not in ("GET", "HEAD"):
        return None
    name, status, body = path[len(OURS) :], "200 OK", b"ok\n"
    if name == "readyz" and draining():
        status, body = "503 Service Unavailable", b"draining\n"
    elif name == "version":
        import json

        names = {"revision": "REVISION", "digest": "IMAGE_DIGEST", "pod": "POD_NAME"}
        body = json.dumps({key: os.environ.get(variable, "") for key, variable in names.items()}).encode()
    elif name not in ("livez", "readyz"):
        return None
    return status, body if method == "GET" else b""


class Wsgi:
    """APP with our answers in front of it; in all else it is APP."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        ours = answer(environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", ""))
        last = "uwsgi.version" in environ and (ours or draining())  # other servers say it themselves, or refuse it
        if ours:
            headers = [("Content-Type", "application/json" if ours[1][:1] == b"{" else "text/plain")]
            headers += [("Content-Length", str(len(ours[1])))] + [CLOSE] * bool(last)
            start_response(ours[0], headers)
            return [ours[1]]
        if last:
            inner = start_response
            start_response = lambda status, headers, *more: inner(status, [*headers, CLOSE], *more)  # noqa: E731
        return self.app(environ, start_response)


class Asgi(Wsgi):
    """The same for an application that is called asynchronously."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:  # type: ignore[override]
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if ours := answer(scope["method"], scope["path"]):
            headers = [(b"content-length", str(len(ours[1])).encode()), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": int(ours[0][:3]), "headers": headers})
            return await send({"type": "http.response.body", "body": ours[1]})

        async def closing(message: Any) -> None:
            if message["type"] == "http.response.start" and draining():
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        return await self.app(scope, receive, closing)


def wrapped(app: Any) -> Any:
    """Return APP with our answers, whatever its kind; one that has them stays."""
    import inspect

    if isinstance(app, Wsgi) or not callable(app):
        return app
    asynchronous = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__"))  # noqa: B004, B009
    return (Asgi if asynchronous else Wsgi)(app)


def around(owner: Any, name: str, make: Any) -> None:
    """Replace the method NAME of OWNER by what MAKE makes of it, if it is there."""
    if hasattr(owner, name):
        setattr(owner, name, make(getattr(owner, name)))


def _gunicorn(module: Any) -> None:
    def make(load: Any) -> Any:
        def loaded(self: Any) -> Any:
            if 0 < self.cfg.keepalive < KEEP:
                self.cfg.set("keepalive", KEEP)
            return wrapped(load(self))

        return loaded

    around(module.BaseApplication, "wsgi", make)


def _gunicorn_answers(module: Any) -> None:
    def make(should_close: Any) -> Any:
        return lambda self: self.req.path.startswith(OURS) or draining() or should_close(self)

    around(module.Response, "should_close", make)


def _waitress(module: Any) -> None:
    def make(init: Any) -> Any:
        return lambda self, application, *args, **more: init(self, wrapped(application), *args, **more)

    around(module.BaseWSGIServer, "__init__", make)


def _waitress_answers(module: Any) -> None:
    def make(build: Any) -> Any:
        def header(self: Any) -> Any:
            if self.request.path.startswith(OURS) or draining():
                self.request.headers["CONNECTION"] = "close"
            return build(self)

        return header

    around(module.Task, "build_response_header", make)


def _uvicorn(module: Any) -> None:
    def make(load: Any) -> Any:
        def loaded(self: Any) -> None:
            load(self)
            if not isinstance(self.loaded_app, Asgi):
                self.loaded_app = Asgi(self.loaded_app)
            if 0 < self.timeout_keep_alive < KEEP:
                self.timeout_keep_alive = KEEP

        return loaded

    around(module.Config, "load", make)


def _flask(module: Any) -> None:
    """Under servers that take an application without any Python of their own."""
    around(module.Flask, "__call__", lambda call: lambda self, environ, start: Wsgi(call.__get__(self))(environ, start))


PATCHES = {
    "gunicorn.app.base": _gunicorn,
    "gunicorn.http.wsgi": _gunicorn_answers,
    "waitress.server": _waitress,
    "waitress.task": _waitress_answers,
    "uvicorn.config": _uvicorn,
    "flask.app": _flask,
}


def _uwsgi(name: str) -> Any:
    """Return what wraps the callable that uWSGI takes from the module NAME, None where it takes none from it."""
    options = getattr(sys.modules.get("uwsgi"), "opt", {})
    for key in ("module", "wsgi"):
        value = options.get(key, b"")
        module, _, attribute = os.fsdecode(value if isinstance(value, bytes) else value[0]).partition(":")
        if module == name:
            attribute = attribute or os.fsdecode(options.get("callable", b"application"))
            return lambda loaded: setattr(loaded, attribute, wrapped(getattr(loaded, attribute)))
    return None


class Hook:
    """Finds the modules of servers as they would be found anyway, and patches them once they are loaded."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        patch = PATCHES.get(name) or ("uwsgi" in sys.modules and _uwsgi(name))
        if not patch:
            return None
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        loader: Any = spec and spec.loader
        if hasattr(loader, "exec_module"):
            load = loader.exec_module

            def exec_module(module: Any) -> None:
                load(module)
                patch(module)

            loader.exec_module = exec_module
        return spec


def follow() -> None:
    """Load what would have been loaded if this file was not here."""
    here = os.path.dirname(os.path.abspath(__file__))
    for folder in sys.path:
        file = os.path.join(folder, "sitecustomize.py")
        if os.path.abspath(folder) != here and os.path.isfile(file):
            with open(file, "rb") as source:
                code = compile(source.read(), file, "exec")
            exec(code, {"__name__": "sitecustomize", "__file__": file})  # noqa: S102 # nosec B102
            return


expand()
sys.meta_path.insert(0, Hook())
follow()
