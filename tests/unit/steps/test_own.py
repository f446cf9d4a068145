"""A step of one's own: a few lines of longshore.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore import settings as configuration
from longshore.errors import BadInput
from longshore.runner import Runner
from longshore.steps.graph import Graph
from longshore.tasks import catalogue
from longshore.tasks.world import World

BASE = '[project]\nname = "shop"\n[environments.blue]\n'
LINT_JS = """
[steps.lint-js]
run = ["npm", "run", "lint"]
reads = ["application/**/*.js"]
before = "image"
group = "lint"
"""


def graph(folder: Path, text: str, *, gates: bool = False) -> Graph:
    (folder / "longshore.toml").write_text(BASE + text)
    settings = configuration.load(folder, {})
    if gates:
        return catalogue.gates(settings, Runner({}))
    return catalogue.graph(World(settings, "blue", Runner({})))


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


def test_one_that_changes_something_runs_each_time_after_what_it_needs(tmp_path: Path) -> None:
    text = '[steps.migrate]\nrun = ["flask", "db", "upgrade"]\nneeds = ["image"]\nchanges = true\n'
    step = graph(tmp_path, text).steps["migrate"]
    assert (step.needs, step.reads) == (("image",), None)
    assert "migrate" not in graph(tmp_path, text, gates=True).steps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[steps.types]\nrun = ["x"]\n', "has the name of a step that there is already"),
        ('[steps.x]\nrun = ["x"]\nbefore = "relase"\n', "comes before 'relase', which is no step"),
        ('[steps.x]\nrun = ["x"]\nneeds = ["nothing"]\n', "needs nothing, which is no step"),
        ("[steps.x]\nrun = []\n", "longshore.toml:5: steps.x.run"),
        ('[steps.x]\nrun = ["x"]\nread = ["a"]\n', "longshore.toml:6: steps.x.read is not a setting"),
        ('[cache]\nremote = "http://bucket"\n', "longshore.toml:5: cache.remote"),
        ('[cache]\nwrites = "always"\n', "cache.writes is not a setting"),
    ],
)
def test_a_mistake_is_said_before_anything_runs(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        graph(tmp_path, text)
    assert said in caught.value.sentence
