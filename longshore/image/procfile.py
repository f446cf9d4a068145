"""A Procfile: which processes an application consists of, and the command of each."""

from __future__ import annotations

import re

from longshore.errors import BadInput
from longshore.snapshot.snapshot import Snapshot

NAME = "Procfile"
LINE = re.compile(r"(?m)^[ \t]*([A-Za-z0-9][A-Za-z0-9_-]*):[ \t]*(\S.*?)[ \t\r]*$")
# What is no operator to a shell: quoted or escaped text, what it puts values in place of, the `&` of `2>&1`.
TEXT = re.compile(
    r"""\\.|'[^']*'|"(?:\\.|[^"\\])*"|`[^`]*`|\$\{[^}]*\}|\$\(\([^()]*\)\)|\$\([^()]*\)|[<>]&""", re.DOTALL
)
COMMENT = re.compile(r"(?:^|\s)#.*")
ITS_OWN = re.compile(r"""(?<!\|)\|(?!\|)|[()\n'"`]|\btrap\b""")  # with these it has something to do until the end
BETWEEN = re.compile(r"&&|\|\||;|&")
SET = re.compile(r"\s*(?:[A-Za-z_]\w*=\S*\s+)*")  # variables of the command that follows
# What runs a program where a tool has installed it: here all is on the PATH. uv and its like run a script by Python.
TOOL = re.compile(r"(?<![^\s;&|(])(?:pipenv|poetry|pdm|uv)\s+run\s+(--(frozen|locked|no-\w+)\s+)*(?!-)(?=(\S+\.py\b)?)")
PIPENV = re.compile(r"(?<![^\s;&|(])pipenv\s+run\s+([\w-]+)")
SCRIPT = re.compile(r"""(?m)^\s*["']?([\w-]+)["']?\s*=\s*["'](.+)["']\s*$""")  # of a Pipfile
WORD = re.compile(r"[^\s<>]*")
# What may stand there and is no program: nothing, words of the shell's own, a variable that is set.
NONE = re.compile(
    r"([!.:{}]|\[\[|case|cd|command|do|done|elif|else|esac|eval|exec|exit|export|fi|for|function|if|read|return|set|shift"
    r"|source|then|time|ulimit|umask|unset|until|wait|while|\w+=.*)?\Z"
)


def processes(sources: Snapshot) -> dict[str, list[str]]:
    """Return the command of each process that the Procfile in SOURCES names, as a shell runs it; empty without one.

    Names are as Kubernetes takes them: without capitals and underscores. Raises BadInput where one stands there twice.
    """
    found: dict[str, list[str]] = {}
    scripts = dict(SCRIPT.findall(sources.text("Pipfile").partition("[scripts]")[2].partition("\n[")[0]))
    for written, command in LINE.findall(sources.text(NAME)):
        name = written.lower().replace("_", "-")
        if name in found:
            raise BadInput(f"the Procfile names {name} twice", hint="only one of them would run: rename the other")
        spelt = PIPENV.sub(lambda run: scripts.get(run[1], run[0]), command)
        found[name] = shell(TOOL.sub(lambda run: "python " if run[3] else "", spelt))
    return found


def shell(command: str) -> list[str]:
    """Return what runs COMMAND in a shell, whose place the last program takes if that is all that is left to do.

    Signals reach the program then: as the first process of a container, a shell that waits for one ignores SIGTERM.
    """
    plain, before = command, ""
    while plain != before:  # what is inside other things first
        plain, before = TEXT.sub(lambda found: "x" * len(found[0]), plain), plain
    plain = COMMENT.sub("", plain)
    begin = max((found.end() for found in BETWEEN.finditer(plain)), default=0)
    begin = SET.match(plain, begin).end()  # type: ignore[union-attr] # it matches anything
    word = WORD.match(plain, begin)[0]  # type: ignore[index] # so does this
    if ITS_OWN.search(plain) or NONE.match(word):
        return ["sh", "-c", command]
    return ["sh", "-c", f"{command[:begin]}exec {command[begin:]}"]
