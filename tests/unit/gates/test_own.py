"""A step of one's own: a few lines of longshore.toml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.graph.steps import Graph
from longshore.process.runner import Runner
from longshore.settings import load as configuration
from longshore.tasks import catalogue
from longshore.tasks.world import World
from tests.unit.sources import snapshot_of

BASE = '[project]\nname = "shop"\n[environments.blue]\n'
LINT_JS = """
[steps.lint-js]
run = ["npm", "run", "lint"]
reads = ["application/**/*.js"]
before = "image"
group = "lint"
"""


def graph(folder: Path, text: str, *, gates: bool = False, environ: Mapping[str, str] | None = None) -> Graph:
    (folder / "longshore.toml").write_text(BASE + text)
    (folder / "application").mkdir(exist_ok=True)
    (folder / "Dockerfile").touch()
    settings = configuration.load(folder, environ or {})
    runner = Runner(environ or {})
    if gates:
        return catalogue.gates(settings, runner, lambda: snapshot_of(folder))
    return catalogue.graph(World(settings, "blue", runner, lambda: snapshot_of(folder)))


def test_it_stands_before_the_step_that_it_names_and_in_its_group(tmp_path: Path) -> None:
    whole = graph(tmp_path, LINT_JS)
    assert "lint-js" in whole.steps["image"].needs
    assert "lint-js" in whole.group("lint")
    assert "lint-js" in graph(tmp_path, LINT_JS, gates=True).only("lint").steps


def test_it_reads_its_files_its_program_and_its_own_words(tmp_path: Path) -> None:
    reads = graph(tmp_path, LINT_JS).steps["lint-js"].reads
    assert reads is not None
    assert reads.files == ("application/**/*.js",)
    assert reads.tools == ("npm",)
    assert dict(reads.settings) == {"steps.lint-js.run": ["npm", "run", "lint"]}


@pytest.mark.parametrize("name", ["lint", "test", "scan"])
@pytest.mark.parametrize("gates", [False, True])
def test_it_has_no_name_of_a_group_which_a_release_would_wait_for_in_vain(
    tmp_path: Path, name: str, gates: bool
) -> None:
    with pytest.raises(BadInput, match=rf"longshore\.toml:4: steps\.{name} has the name of a group of steps"):
        graph(tmp_path, f'[steps.{name}]\nrun = ["true"]\n', gates=gates)


def test_what_it_needs_in_vain_is_a_sentence_with_a_hint(tmp_path: Path) -> None:
    off = '[gates.lint]\noff = "later"\n[steps.a]\nrun = ["true"]\nneeds = ["types"]\n'
    with pytest.raises(BadInput, match="step a needs types, which does not exist") as refused:
        graph(tmp_path, off)
    assert "`invoke graph`" in refused.value.hint
    circle = "".join(f'[steps.{a}]\nrun = ["true"]\nneeds = ["{b}"]\n' for a, b in ("xy", "yx"))
    with pytest.raises(BadInput, match=r"circle: [xy] → [xy] → [xy]") as refused:
        graph(tmp_path, circle)
    assert "`needs`" in refused.value.hint


def inputs(folder: Path, text: str, step: str, **environ: str) -> dict[str, str]:
    reads = graph(folder, text, environ=environ).steps[step].reads
    assert reads is not None
    return {name: value for name, value in reads.read(snapshot_of(folder), {}).items() if "variable" in name}


@pytest.mark.parametrize(
    ("text", "step"),
    [
        (LINT_JS + 'env = ["NPM_TOKEN", "DEBUG"]\n', "lint-js"),
        ('[gates.tests.db]\npaths = ["t"]\nreads = ["t"]\nenv = ["NPM_TOKEN", "DEBUG"]\n', "test-db"),
    ],
)
def test_a_variable_that_it_takes_is_an_input_without_its_value(tmp_path: Path, text: str, step: str) -> None:
    none = inputs(tmp_path, text, step)
    assert none == {"observed variable NPM_TOKEN": "not set", "observed variable DEBUG": "not set"}
    first = inputs(tmp_path, text, step, NPM_TOKEN="open-sesame", OTHER="x")
    assert first["observed variable DEBUG"] == "not set"
    assert first == inputs(tmp_path, text, step, NPM_TOKEN="open-sesame")
    assert "sesame" not in str(first)
    assert first != inputs(tmp_path, text, step, NPM_TOKEN="another")
    assert none != inputs(tmp_path, text, step, DEBUG="")


def test_another_package_index_is_another_input_of_the_gate_that_asks_it(tmp_path: Path) -> None:
    assert inputs(tmp_path, "", "dependencies", PIP_CACHE_DIR="/cache") == {}
    (name,) = inputs(tmp_path, "", "dependencies", PIP_INDEX_URL="https://mirror.example/simple")
    assert name == "observed variable PIP_INDEX_URL"


def test_one_that_changes_something_runs_each_time_after_what_it_needs(tmp_path: Path) -> None:
    text = '[steps.migrate]\nrun = ["flask", "db", "upgrade"]\nneeds = ["image"]\nchanges = true\n'
    step = graph(tmp_path, text).steps["migrate"]
    assert (step.needs, step.reads) == (("image",), None)
    assert "migrate" not in graph(tmp_path, text, gates=True).steps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[steps.types]\nrun = ["x"]\n', "has the name of a built-in step"),
        ('[steps.x]\nrun = ["x"]\nbefore = "relase"\n', "comes before 'relase', which is not a step"),
        ('[steps.x]\nrun = ["x"]\nneeds = ["nothing"]\n', "needs nothing, which does not exist"),
        ("[steps.x]\nrun = []\n", "longshore.toml:5: steps.x.run"),
        ('[steps.x]\nrun = ["x"]\nenv = ["A=1"]\n', "steps.x.env.0 is 'A=1', not the name of an environment variable"),
        ('[steps.x]\nrun = ["x"]\nenv = ["LD_PRELOAD*"]\n', "not the name of an environment variable"),
        ('[steps.x]\nrun = ["x"]\nread = ["a"]\n', "longshore.toml:6: steps.x.read is not a setting"),
        ('[cache]\nremote = "http://bucket"\n', "longshore.toml:5: cache.remote"),
        ('[cache]\nwrites = "always"\n', "cache.writes is not a setting"),
    ],
)
def test_a_mistake_is_said_before_anything_runs(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        graph(tmp_path, text)
    assert said in caught.value.sentence
