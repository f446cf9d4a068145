"""`canary` in longshore.toml: what it takes, and what is said of anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.settings.load import load
from longshore.settings.model import Environment

TOML = '[project]\nname = "shop"\n\n[environments.staging]\naccount = "123456789012"\n'


def read(folder: Path, *lines: str, **environ: str) -> Environment:
    (folder / "longshore.toml").write_text(TOML + "\n".join(lines))
    return load(folder, environ).environment("staging")


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ("", ()),
        ('canary = "off"', ()),
        ('canary = "10%"', (10,)),
        ('canary = "100%"', (100,)),
        ('canary = ["1%", "10%", "50%"]', (1, 10, 50)),
    ],
)
def test_a_canary_is_off_or_has_steps(tmp_path: Path, line: str, steps: tuple[int, ...]) -> None:
    assert read(tmp_path, line).canary_steps == steps


NO_SHARE = 'no share of the replicas: "off", or "1%" to "100%"'


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"0%"', f'"0%" is {NO_SHARE}'),
        ('"150%"', f'"150%" is {NO_SHARE}'),
        ('"abc"', f'"abc" is {NO_SHARE}'),
        ('"10"', f'"10" is {NO_SHARE}'),
        ('"10.5%"', f'"10.5%" is {NO_SHARE}'),
        ('"\N{ARABIC-INDIC DIGIT ONE}%"', NO_SHARE),
        ('["10%", "off"]', f'"off" is {NO_SHARE}'),
        ('["50%", "10%"]', "each step has to be larger than the one before, and 10% comes after 50%"),
        ('["50%", "50%"]', "50% comes after 50%"),
        ("[]", 'a list without a step; "off" is no canary'),
    ],
)
def test_anything_else_is_refused_with_its_line(tmp_path: Path, value: str, problem: str) -> None:
    with pytest.raises(BadInput, match=r"longshore\.toml:6: environments\.staging\.canary: ") as refused:
        read(tmp_path, f"canary = {value}")
    assert problem in refused.value.sentence


def test_a_number_is_refused_like_any_wrong_type(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"environments\.staging\.canary is 10, not text or a list"):
        read(tmp_path, "canary = 10")


def test_a_canary_needs_the_seconds_that_each_step_takes(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"longshore\.toml:7: environments\.staging\.canary: .* `bake`"):
        read(tmp_path, "bake = 0", 'canary = "10%"')


def test_a_variable_may_set_it(tmp_path: Path) -> None:
    variable = "LONGSHORE__ENVIRONMENTS__STAGING__CANARY"
    assert read(tmp_path, **{variable: "10%"}).canary_steps == (10,)
    assert read(tmp_path, **{variable: '["10%", "50%"]'}).canary_steps == (10, 50)
    with pytest.raises(BadInput, match=variable):
        read(tmp_path, **{variable: "150%"})
