"""What looks like the application to serve: an object, or a factory without arguments, and where Python finds it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from itertools import product

from msgspec import Struct

from longshore.errors import BadInput
from longshore.settings.project import Application
from longshore.snapshot.snapshot import Snapshot
from longshore.snapshot.syntax import parsed

PREFERRED = (*("wsgi", "index", "app", "main", "asgi", "application", "server", "__init__"), *("factory", "run"))
ASSIGNED = r"^({})\s*(?::[^=\n]+)?=(?!=)\s*(?:\w+\s*=\s*)?"
OTHER = r"None\b|[\"'\d\[{]|(?:[\w.]+\.)?(?:Blueprint|APIRouter|Typer|Celery|Dash|Api|Namespace|SocketIO)\("
OBJECT = re.compile(ASSIGNED.format("app|application") + rf"(?!{OTHER})\S", re.MULTILINE)
# Whatever its name, this is one: made by a framework's class or by a factory, or what Dash calls its server.
FACTORIES = "(?:create|make|build|init)_app(?:lication)?"
MADE = rf"(?:[\w.]+\.)?(?:(?:API)?Flask|FastAPI|Quart|Starlette|Litestar|{FACTORIES})\(|app\.server\b"
KNOWN = re.compile(rf"{ASSIGNED.format('[A-Za-z_0-9]+')}(?:{MADE})", re.MULTILINE)
CALLABLE = re.compile(r"^def (app|application)\(environ, start_response\)", re.MULTILINE)
IMPORTED = re.compile(r"^from [\w.]+ import (?:.*[\s,(])?(app|application)\s*(?:[,)#].*)?$", re.MULTILINE)
FACTORY = re.compile(rf"(?ms)^def ({FACTORIES})\((.*?)\)\s*(?:->[^:]+)?:")
DASH = re.compile(r"^(\w*(?:app|dash)\w*)\.layout\s*=(?!=)", re.MULTILINE)  # all of it is there, wherever it was made
USUAL = (OBJECT, KNOWN, CALLABLE, FACTORY, DASH)
ENTRY = (*USUAL[:3], IMPORTED, *USUAL[3:])  # of files that are there to be served: what they import counts
Kinds = tuple[re.Pattern[str], ...]
KINDS: dict[str, Kinds] = {"wsgi": ENTRY, "asgi": ENTRY, "index": (DASH,)}
# Whoever imports such a file runs a server of its own; Flask's can be told not to, the second kind cannot.
RUNS = r"(?m)^(?:{}\w*app|application|api|server|(socketio|uvicorn))\.run(?:_server)?\("  # {}: what else is one
# What is beside an application.
BESIDE = re.compile(
    r"(?:^|/)(?:test_[^/]*|conftest|setup|tests?|docs?|examples?|migrations|scripts|node_modules|site-packages|\.[^/]*)(?:/|\.py$)"
)
BLOCKS = (ast.If, ast.Try, ast.With, ast.ExceptHandler)  # what is in them is done as well, or may be
FLASK_APP = re.compile(r"^(?:export\s+)?FLASK_APP\s*=\s*(\"[^\"\n]*\"|'[^'\n]*'|\S+)", re.MULTILINE)
ASYNCHRONOUS = re.compile(r"^(?:from|import) (?:fastapi|quart|starlette|litestar)\b", re.MULTILINE)
SYNCHRONOUS = re.compile(r"^(?:from|import) (?:flask|dash)\b", re.MULTILINE)


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
        if found := ASYNCHRONOUS.search(content) or SYNCHRONOUS.search(content):
            return found.re is ASYNCHRONOUS
        if "quart" in names:  # which brings Flask
            texts = (sources.text(name) for name in sources.entries if name.endswith(".py"))
            return not any(map(SYNCHRONOUS.search, texts))
        other = any(name.startswith(("flask", "django", "bottle", "pyramid", "falcon")) for name in names)
        return bool(names & {"fastapi", "starlette", "litestar"}) and not other


def find(app: Application, sources: Snapshot) -> Served:
    """Return what is served: what .flaskenv names, or what is usual. Raises BadInput where nothing is."""
    refused = dict[str, None]()
    for runs in (False, True):  # what has Flask run a server when it is imported is the last choice
        for name, module, kinds in (*_said(sources), *_modules(app, sources)):
            if isinstance(kinds, str):
                attribute, bracket, rest = kinds.partition("(")
                factory = re.search(rf"(?m)^def {re.escape(attribute)}\(", sources.text(name))
                call = f"({rest}" if bracket else "()" if factory else ""
                return Served(file=name, module=module, attribute=attribute, call=call)
            if found := _in(name, kinds, sources, refused, runs=runs):
                imported = module or _module(name, sources)[1]
                return Served(file=name, module=imported, attribute=found[0], call=found[1], runs=runs)
    hint = '`command = ["gunicorn", "package.module:app"]` under [application] says it; or add a Dockerfile'
    raise BadInput("nothing looks like the application to serve", hint="; ".join((*refused, hint)))


def roots(app: Application, sources: Snapshot, file: str) -> list[str]:
    """Return the folders, beside the project's own, that Python has to look in; FILE has the application, if known."""
    found = dict.fromkeys(("src", _root(app.path, sources), _root(file.rpartition("/")[0], sources)))
    return [each for each in found if any(name.startswith(f"{each}/") for name in sources.entries)]


def _root(folder: str, sources: Snapshot) -> str:
    """Return where Python has to look for what is in FOLDER: there or above; empty for the project's own folder."""
    while folder and _package(folder, sources):
        folder = folder.rpartition("/")[0]
    return folder


def _package(folder: str, sources: Snapshot) -> bool:
    """Return whether FOLDER is a package: what is in it, beside tests, imports from it as from one, or it says so.

    One that says so is none where its modules import each other by plain names.
    """
    parts, within = folder.split("/"), [name for name in sources.entries if name.startswith(f"{folder}/")]
    python = (name for name in within if name.endswith(".py") and not BESIDE.search(name.removeprefix(folder)))
    texts = {name: sources.text(name) for name in python}
    paths = "|".join(re.escape(".".join(parts[start:])) for start in range(len(parts)))
    own = rf"(?m)^\s*(?:from|import)\s+(?:(?!(?:flask|fastapi|quart|dash)\b)(?:{paths})\b"  # a folder may be called so
    if any(re.search(rf"{own}|\.{{{name.count('/') - len(parts) + 1}}})", text) for name, text in texts.items()):
        return True
    names = {name.split("/")[len(parts)].removesuffix(".py") for name in texts} - {"__init__"}
    plain = rf"(?m)^\s*(?:from|import)\s+(?:{'|'.join(map(re.escape, names)) or '(?!)'})\b"
    return f"{folder}/__init__.py" in texts and not any(re.search(plain, text) for text in texts.values())


def _in(name: str, kinds: Kinds, sources: Snapshot, refused: dict[str, None], *, runs: bool) -> tuple[str, str] | None:
    """Return what of KINDS the file NAME has, and how it is called; REFUSED gets why others are not.

    RUNS says that it may have Flask run a server when it is imported.
    """
    if f"{name.removesuffix('.py')}/__init__.py" in sources.entries:  # which Python imports in its place
        return None
    content = _flat(sources.text(name))
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
    if _needed(arguments):
        root, module = _module(name, sources)
        chdir = f'"--chdir={root}", ' if root else ""
        given = f'`command = ["gunicorn", {chdir}"{module}:{factory}(…)"]` under [application] gives it'
        return f"{factory} in {name} needs an argument: {given}"
    if _several(factory, content):
        named = "a wsgi.py that calls it and names that `app` can be served"
        return f"{factory} in {name} returns more than the application: {named}"
    return ""


def _flat(content: str) -> str:
    """Return what CONTENT does when it is imported, each statement and each name at the beginning of its line."""
    try:
        return "\n".join(
            line for each in _statements(parsed(content).body) for line in (ast.unparse(each), *_named(each))
        )
    except ValueError:
        return content


def _named(statement: ast.stmt) -> Iterator[str]:
    """Yield what STATEMENT assigns as assignments to one name each, where it has several names at once.

    Which of the things that a call returns is the application, only a name says: `app, db = create_app()`.
    """
    if not isinstance(statement, ast.Assign):
        return
    value = statement.value
    for target in statement.targets:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            pairs = zip(target.elts, value.elts, strict=True)
            yield from (f"{ast.unparse(name)} = {ast.unparse(each)}" for name, each in pairs)
        elif isinstance(target, ast.Tuple | ast.List):
            names = [each.id for each in target.elts if isinstance(each, ast.Name)]
            yield from (f"{name} = {ast.unparse(value)}" for name in names if name in ("app", "application"))


def _statements(nodes: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    for node in nodes:
        runs_as_program = isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
        if isinstance(node, BLOCKS) and not runs_as_program:
            yield from _statements(ast.iter_child_nodes(node))
        elif isinstance(node, ast.stmt):
            yield node


def _several(function: str, content: str) -> bool:
    """Return whether the FUNCTION in CONTENT returns a tuple somewhere."""
    try:
        found = [each for each in parsed(content).body if isinstance(each, ast.FunctionDef) and each.name == function]
    except ValueError:
        return False
    inside = (statement for each in found for statement in _statements(each.body))
    return any(isinstance(each, ast.Return) and isinstance(each.value, ast.Tuple) for each in inside)


def _needed(arguments: str) -> bool:
    """Return whether a function with ARGUMENTS cannot be called without any."""
    try:
        taken = parsed(f"def f({arguments}\n): ...").body[0].args  # type: ignore[attr-defined]
    except ValueError:
        return True
    return len(taken.posonlyargs + taken.args) > len(taken.defaults) or None in taken.kw_defaults


def _said(sources: Snapshot) -> Iterator[tuple[str, str, Kinds | str]]:
    """Yield what FLASK_APP in .flaskenv names, if it is there."""
    if line := FLASK_APP.search(sources.text(".flaskenv")):
        place, _, wanted = line[1].strip("\"'").partition(":")
        module = place.removeprefix("./").removesuffix(".py").removeprefix("src/").replace("/", ".")
        for top, end in product(("", "src/"), (".py", "/__init__.py")):
            if (name := f"{top}{module.replace('.', '/')}{end}") in sources.entries:
                yield name, module, wanted or ENTRY


def _modules(app: Application, sources: Snapshot) -> Iterator[tuple[str, str, Kinds]]:
    """Yield the files that may hold the application, the likely ones first, and as what; imports tell the rest."""
    python = [name for name in sources.entries if name.endswith(".py") and not BESIDE.search(name)]
    packages = sorted(name.rpartition("/")[0] for name in python if name.endswith("/__init__.py"))
    for folder in dict.fromkeys(["" if app.path == "." else app.path, "", "src", *packages]):
        for file in PREFERRED:
            name = f"{folder}/{file}.py".lstrip("/")
            if name in sources.entries:
                yield name, "", KINDS.get(file, USUAL)
    for name in sorted(python, key=lambda name: (name.count("/"), name)):
        usual = name.rpartition("/")[2].removesuffix(".py") in PREFERRED
        yield name, "", USUAL if usual else (KNOWN, DASH)


def _module(name: str, sources: Snapshot) -> tuple[str, str]:
    """Return the folder in which Python has to look for the file NAME, and how that is imported then."""
    root = _root(name.rpartition("/")[0], sources)
    return root, name.removeprefix(f"{root}/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
