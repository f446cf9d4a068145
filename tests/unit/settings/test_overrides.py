"""Environment variables in place of what longshore.toml says, and what none may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from tests.unit.settings.files import GOOD, read


def test_an_environment_variable_overrides_the_file(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        GOOD,
        LONGSHORE__ENVIRONMENTS__LOCAL__LOCAL__AWS_PORT="4600",
        LONGSHORE__ENVIRONMENTS__LOCAL__NAMESPACE="other",
    )
    assert settings.environments["local"].local is not None
    assert settings.environments["local"].local.aws_port == 4600
    assert settings.environments["local"].namespace == "other"


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("LONGSHORE__ENVIRONMENTS__LOCAL__REGOIN", "x", "environments.local.regoin is not a setting"),
        ("LONGSHORE__REGOIN__LOCAL", "x", "regoin is not a setting"),
        ("LONGSHORE__PROJECT__NAME", "Shop", "project.name is 'Shop', not a name"),
        ("LONGSHORE__APPLICATION", "{port = 'x'}", "application.port is 'x', not a port"),
        ("LONGSHORE__APPLICATION__PORT", "1" * 5000, "application.port is '111"),
        ("LONGSHORE__APPLICATION__PORT", "[" * 5000, "application.port is '[[["),
        ("LONGSHORE__PROJECT__NAME__FIRST", "x", "name is not a table"),
    ],
)
def test_a_mistake_in_an_environment_variable_names_it(tmp_path: Path, variable: str, value: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, GOOD, **{variable: value})
    assert caught.value.sentence.startswith(f"{variable}: {problem}")
    assert caught.value.hint


PROTECTED = "LONGSHORE__ENVIRONMENTS__PRODUCTION"
FIXED = [
    *((f"{PROTECTED}__PROTECTED", "false"), (f"{PROTECTED}__APPROVE", "auto"), (f"{PROTECTED}__BRANCH", "feature")),
    *((f"{PROTECTED}__REMOTE", "/tmp/fork"), (f"{PROTECTED}__ACCOUNT", "1"), (f"{PROTECTED}__CLUSTER", "x")),
    *((f"{PROTECTED}__PROTECTED", "true"), (f"{PROTECTED}__VARIABLES__NODE_COUNT", "9"), (f"{PROTECTED}__BAKE", "0")),
    *((PROTECTED, "{account = '1'}"), (PROTECTED.lower().replace("longshore", "LONGSHORE"), "{account = '1'}")),
    *(("LONGSHORE__ENVIRONMENTS", "{production = {}}"), ("LONGSHORE__ENVIRONMENTS__NEW__ACCOUNT", "222222222222")),
    *(
        ("LONGSHORE__ENVIRONMENTS__LOCAL__ACCOUNT", "'222222222222'"),
        ("LONGSHORE__ENVIRONMENTS__LOCAL", "{account = '222222222222'}"),
    ),
    *(("LONGSHORE__STEPS__X__RUN", '["true"]'), ("LONGSHORE__STEPS", "{}"), ("LONGSHORE__GATES__TESTS", "{}")),
    *(("LONGSHORE__GATES__DEPENDENCIES", "when-reachable"), ("LONGSHORE__GATES__TESTS__TOOLKIT__PATHS", '["x"]')),
]


@pytest.mark.parametrize(("variable", "value"), FIXED)
def test_no_variable_takes_protection_away_or_decides_what_runs(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path, GOOD, **{variable: value})
    assert refused.value.sentence.startswith(f"{variable}: ")
    assert "longshore.toml" in refused.value.sentence + refused.value.hint
    assert value not in refused.value.sentence or value == "true"


def test_what_all_environments_share_is_not_overridden_for_a_protected_one(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD, LONGSHORE__APPLICATION__DOCKERFILE="Dockerfile.mine")
    assert settings.environment("local")
    with pytest.raises(BadInput, match="LONGSHORE__APPLICATION__DOCKERFILE: production is protected"):
        settings.environment("production")


def test_an_environment_may_be_protected_by_a_variable_and_every_override_is_told(tmp_path: Path) -> None:
    variables = {
        "LONGSHORE__ENVIRONMENTS__LOCAL__PROTECTED": "true",
        "LONGSHORE__ENVIRONMENTS__LOCAL__LOCAL__AWS_PORT": "4600",
    }
    settings = read(tmp_path, GOOD, **variables)
    assert settings.environment("local").protected
    assert settings.overrides == {
        "LONGSHORE__ENVIRONMENTS__LOCAL__LOCAL__AWS_PORT": "environments.local.local.aws_port",
        "LONGSHORE__ENVIRONMENTS__LOCAL__PROTECTED": "environments.local.protected",
    }
    assert read(tmp_path, GOOD).overrides == {}


@pytest.mark.parametrize(
    "variable", ["LONGSHORE__\udcff", "LONGSHORE__PROJECT__NAME", "LONGSHORE_RESULTS_KEY", "LONGSHORE_CHECKOUT"]
)
def test_a_variable_that_is_not_utf_8_is_a_mistake_that_shows_no_value(tmp_path: Path, variable: str) -> None:
    with pytest.raises(BadInput, match="is not UTF-8") as caught:
        read(tmp_path, GOOD, **{variable: "sesame\udcff"})
    assert caught.value.sentence.startswith(variable.partition("\udcff")[0])
    assert "sesame" not in caught.value.sentence + caught.value.hint
    (caught.value.sentence + caught.value.hint).encode()
