"""What is served: the first that looks like the application, in the files where that usually is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import product

from msgspec import Struct

from longshore.errors import BadInput
from longshore.image import callables, import_path
from longshore.image.callables import DASH, ENTRY, KNOWN, USUAL, Kinds
from longshore.settings.project import Application
from longshore.snapshot import dependencies
from longshore.snapshot.snapshot import Snapshot

PREFERRED = (*("wsgi", "index", "app", "main", "asgi", "application", "server", "__init__"), *("factory", "run"))
KINDS: dict[str, Kinds] = {"wsgi": ENTRY, "asgi": ENTRY, "index": (DASH,)}
FLASK_APP = re.compile(r"^(?:export\s+)?FLASK_APP\s*=\s*(\"[^\"\n]*\"|'[^'\n]*'|\S+)", re.MULTILINE)


class Served(Struct, frozen=True, kw_only=True):
    """The ATTRIBUTE of MODULE, which is in FILE. `call` are a factory's parentheses with what is between them.

    `runs` says that the file has Flask run a server when it is imported.
    """

    file: str
    module: str
    attribute: str
    call: str = ""
    runs: bool = False

    def asynchronous(self, names: AbstractSet[str], sources: Snapshot) -> bool:
        """Return whether an ASGI server is needed: the file says so, or else NAMES, the releases that are installed."""
        content = sources.text(self.file)
        if "connexion" in names and any(map(callables.CONNEXION.search, _python(sources))):  # 3 and later
            return not re.search(callables.WITHIN.format(self.attribute), content)
        if found := callables.ASYNCHRONOUS.search(content) or callables.SYNCHRONOUS.search(content):
            return found.re is callables.ASYNCHRONOUS
        if "quart" in names:  # which brings Flask
            return not any(map(callables.SYNCHRONOUS.search, _python(sources)))
        other = any(name.startswith(("flask", "django", "bottle", "pyramid", "falcon")) for name in names)
        return bool(names & {"fastapi", "starlette", "litestar"}) and not other


def _python(sources: Snapshot) -> Iterator[str]:
    return (sources.text(name) for name in sources.entries if name.endswith(".py"))


def find(app: Application, sources: Snapshot) -> Served:
    """Return what is served: what FLASK_APP names, or what is usual. Raises BadInput where nothing is."""
    refused = dict[str, None]()
    for runs in (False, True):  # what has Flask run a server when it is imported is the last choice
        for name, module, kinds in (*_said(sources), *_modules(app, sources)):
            if isinstance(kinds, str):
                attribute, bracket, rest = kinds.partition("(")
                factory = re.search(rf"(?m)^def {re.escape(attribute)}\(", sources.text(name))
                call = f"({rest}" if bracket else "()" if factory else ""
                return Served(file=name, module=module, attribute=attribute, call=call)
            if found := callables.of(name, kinds, sources, refused, runs=runs):
                imported = module or _only(name, kinds, app, sources, runs=runs)
                return Served(file=name, module=imported, attribute=found[0], call=found[1], runs=runs)
    hint = '`command = ["gunicorn", "package.module:app"]` under [application] says it; or add a Dockerfile'
    raise BadInput("nothing looks like the application to serve", hint="; ".join((*refused, hint)))


def _only(name: str, kinds: Kinds, app: Application, sources: Snapshot, *, runs: bool) -> str:
    """Return how the file NAME is imported, where the application was found and nobody has said that it is there.

    Raises BadInput where another folder has one in a file of that name, unless the application's folder or that of its
    lock says which is meant.
    """
    home = next(each for each in (f"{app.path}/", *dependencies.folders(app, sources)) if name.startswith(each))
    *above, file = name.removeprefix(home).split("/")
    alike = re.compile(f"(?!{re.escape(name)}$){re.escape(home)}{'[^/]+/' * len(above)}{re.escape(file)}")
    others = (each for each in filter(alike.fullmatch, sources.entries) if not import_path.BESIDE.search(each))
    if other := next((each for each in others if callables.of(each, kinds, sources, {}, runs=runs)), ""):
        folders = " or ".join(f'`path = "{each.rpartition("/")[0]}"`' for each in (name, other))
        sentence = f"{name} and {other} both look like the application to serve"
        raise BadInput(sentence, hint=f"{folders} under [application] says which")
    return import_path.module(name, sources)[1]


def _said(sources: Snapshot) -> Iterator[tuple[str, str, Kinds | str]]:
    """Yield what FLASK_APP in .env or .flaskenv, where Flask itself looks for it, names, if it is there."""
    if line := FLASK_APP.search(f"{sources.text('.env')}\n{sources.text('.flaskenv')}"):
        place, _, wanted = line[1].strip("\"'").partition(":")
        module = place.removeprefix("./").removesuffix(".py").removeprefix("src/").replace("/", ".")
        for top, end in product(("", "src/"), (".py", "/__init__.py")):
            if (name := f"{top}{module.replace('.', '/')}{end}") in sources.entries:
                yield name, module, wanted or ENTRY


def _modules(app: Application, sources: Snapshot) -> Iterator[tuple[str, str, Kinds]]:
    """Yield the files that may hold the application, the likely ones first, and as what; imports tell the rest."""
    names = ((name, name.removeprefix(f"{app.path}/")) for name in sources.entries if name.endswith(".py"))
    python = [name for name, inside in names if not import_path.BESIDE.search(inside)]
    homes = (f"{app.path}/", *dependencies.folders(app, sources))

    def place(name: str) -> int:
        return next(place for place, home in enumerate(homes) if name.startswith(home))

    python.sort(key=lambda name: (place(name), name))
    packages = [name.removesuffix("__init__.py") for name in python if name.endswith("/__init__.py")]
    for folder in dict.fromkeys((*homes, "src/", *packages)):
        for file in PREFERRED:
            name = f"{folder}{file}.py"
            if name in sources.entries:
                yield name, "", KINDS.get(file, USUAL)
    for name in sorted(python, key=lambda name: (place(name), name.count("/"))):
        usual = name.rpartition("/")[2].removesuffix(".py") in PREFERRED
        yield name, "", USUAL if usual else (KNOWN, DASH)
