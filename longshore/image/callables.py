"""What in a module can be served: a WSGI or ASGI callable, or a factory that makes one without an argument."""

from __future__ import annotations

import re

from longshore.image import import_path
from longshore.snapshot import syntax
from longshore.snapshot.snapshot import Snapshot

ASSIGNED = r"^({})\s*(?::[^=\n]+)?=(?!=)\s*(?:\w+\s*=\s*)?"
OTHER = r"None\b|[\"'\d\[{]|(?:[\w.]+\.)?(?:Blueprint|APIRouter|Typer|Celery|Dash|Api|Namespace|SocketIO)\("
OBJECT = re.compile(ASSIGNED.format("app|application") + rf"(?!{OTHER})\S", re.MULTILINE)
# Whatever its name, this is one: made by a framework's class or by a factory, or what Dash calls its server.
FACTORIES = "(?:(?:create|make|build|init)_(?:flask_)?app(?:lication)?|app_factory)"
CLASSES = "(?:API)?Flask|FastAPI|Quart|Starlette|Litestar|(?:Flask|Async)App"
MADE = rf"connexion\.App\(|(?:[\w.]+\.)?(?:{CLASSES}|{FACTORIES})\(|app\.server\b"
KNOWN = re.compile(rf"{ASSIGNED.format('[A-Za-z_0-9]+')}(?:{MADE})", re.MULTILINE)
CALLABLE = re.compile(r"^def (app|application)\(environ, start_response\)", re.MULTILINE)
IMPORTED = re.compile(r"^from [\w.]+ import (?:.*[\s,(])?(app|application)\s*(?:[,)#].*)?$", re.MULTILINE)
FACTORY = re.compile(rf"(?ms)^def ({FACTORIES})\((.*?)\)\s*(?:->[^:]+)?:")
DASH = re.compile(r"^(\w*(?:app|dash)\w*)\.layout\s*=(?!=)", re.MULTILINE)  # all of it is there, wherever it was made
Kinds = tuple[re.Pattern[str], ...]
USUAL: Kinds = (OBJECT, KNOWN, CALLABLE, FACTORY, DASH)
ENTRY: Kinds = (*USUAL[:3], IMPORTED, *USUAL[3:])  # of files that are there to be served: what they import counts
# Whoever imports such a file runs a server of its own; Flask's can be told not to, the second kind cannot.
RUNS = r"(?m)^(?:{}\w*app|application|api|server|(socketio|uvicorn))\.run(?:_server)?\("  # {}: what else is one
ASYNCHRONOUS = re.compile(r"^(?:from|import) (?:fastapi|quart|starlette|litestar)\b", re.MULTILINE)
SYNCHRONOUS = re.compile(r"^(?:from|import) (?:flask|dash)\b", re.MULTILINE)
CONNEXION = re.compile(r"^(?:from|import) connexion\b", re.MULTILINE)
# Flask's application within another; {}: how that is called.
WITHIN = r"(?m)^\s*(?:{}\s*(?::[^=\n]+)?=|return)\s*(?:[\w.]+\.app|(?:[\w.]+\.)?Flask\(.*)\s*$"


def of(name: str, kinds: Kinds, sources: Snapshot, refused: dict[str, None], *, runs: bool) -> tuple[str, str] | None:
    """Return what of KINDS the file NAME has, and how it is called; REFUSED gets why others are not.

    RUNS says that it may have Flask run a server when it is imported.
    """
    if f"{name.removesuffix('.py')}/__init__.py" in sources.entries:  # which Python imports in its place
        return None
    content = syntax.at_import(sources.text(name))
    named = "".join(f"{found[1]}|" for found in KNOWN.finditer(content))
    servers = [found[1] for found in re.finditer(RUNS.format(named), content)]
    if servers and (any(servers) or not runs or not SYNCHRONOUS.search(content)):
        run = f'`command = ["python", "{name}"]` under [application], if it listens on 0.0.0.0'
        refused[f'{name} runs a server when imported: put that below `if __name__ == "__main__":`, or {run}'] = None
        return None
    for kind in kinds:
        for found in kind.finditer(content):
            why = _never(found[1], found[2], name, content, sources) if kind is FACTORY else ""
            if not why:
                return found[1] + (".server" if kind is DASH else ""), "()" if kind is FACTORY else ""
            refused[why] = None
    return None


def _never(factory: str, arguments: str, name: str, content: str, sources: Snapshot) -> str:
    """Return why no server makes the application by FACTORY, with ARGUMENTS in the file NAME of CONTENT; else empty."""
    if syntax.needs_an_argument(arguments):
        root, module = import_path.module(name, sources)
        chdir = f'"--chdir={root}", ' if root else ""
        given = f'`command = ["gunicorn", {chdir}"{module}:{factory}(…)"]` under [application] gives it'
        return f"{factory} in {name} needs an argument: {given}"
    if syntax.returns_several(factory, content):
        named = "a wsgi.py that calls it and names that `app` can be served"
        return f"{factory} in {name} returns more than the application: {named}"
    return ""
