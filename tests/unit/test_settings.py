"""longshore.toml and the environment variables: what is read, and how a mistake is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.command import Secret
from longshore.errors import BadInput
from longshore.settings import Settings, load

ROOT = Path(__file__).parent.parent.parent
HOME = {"HOME": "/home/somebody"}
GOOD = (ROOT / "longshore.toml").read_text()


def read(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "longshore.toml").write_text(text)
    return load(folder, HOME | environ)


def test_the_projects_own_file_loads() -> None:
    settings = load(ROOT, HOME)
    assert set(settings.environments) >= {"local", "staging", "production"}
    assert settings.environments["production"].protected
    assert settings.environments["local"].endpoint_url == "http://127.0.0.1:4566"
    assert settings.environments["staging"].endpoint_url == ""


def test_each_part_of_longshore_is_covered_by_one_suite() -> None:
    suites = load(ROOT, HOME).gates.tests.values()
    parts = {path.stem for path in (ROOT / "longshore").iterdir()} - {"__init__", "__main__", "__pycache__"}
    covered = sorted(name for suite in suites for name in suite.covers if name != "application")
    assert covered == sorted(f"longshore.{part}" for part in parts)


def test_a_terraform_variable_may_be_a_fraction(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[project]\nname = "shop"\n[environments.blue.variables]\nlatency_threshold_seconds = 1.5\nnode_count = 2\n',
    )
    assert repr(settings.environment("blue").variables) == repr(
        {"latency_threshold_seconds": 1.5, "node_count": 2}
    )


def test_what_is_left_out_follows_from_the_name(tmp_path: Path) -> None:
    settings = read(tmp_path, '[project]\nname = "shop"\n[environments.blue]\n')
    blue = settings.environment("blue")
    assert (blue.namespace, blue.overlay, blue.variables_file) == (
        "shop",
        "blue",
        "terraform/environments/blue.tfvars",
    )
    assert (blue.approve, blue.protected, blue.local) == ("manual", False, None)


@pytest.mark.parametrize(
    ("right", "wrong", "sentence", "hint"),
    [
        (
            'approve = "auto"',
            'aprove = "auto"',
            "longshore.toml:45: environments.local.aprove is not a setting",
            "'approve'",
        ),
        (
            "aws_port = 4566",
            'aws_port = "x"',
            "longshore.toml:49: environments.local.local.aws_port is 'x', not a whole number",
            "",
        ),
        (
            "aws_port = 4566",
            "aws_port = 1e9",
            "environments.local.local.aws_port is 1000000000.0, not a whole number",
            "",
        ),
        ("pull = 30", "pull = -1", "environments.local.patience.pull: expected `float` >= 0", ""),
        ("pull = 30", "pul = 30", "environments.local.patience.pul is not a setting", "'pull'"),
        ("aws_port = 4566", "aws_port = 70000", "aws_port is 70000, not a port", ""),
        ("aws_port = 4566", "aws_port = true", "aws_port is True, not a whole number", ""),
        ("[project]", "[projct]", "longshore.toml:4: projct is not a setting", "'project'"),
        ('name = "shop"', "", "longshore.toml lacks project.name", "add `name = …` under [project]"),
        ('approve = "auto"', 'approve = "never"', "longshore.toml:45: environments.local.approve", ""),
        ("rollout_deadline = 600", "rollout_deadline = nan", "rollout_deadline is nan, not a number", ""),
        (
            "rollout_deadline = 600",
            "rollout_deadline = -1",
            "rollout_deadline is -1.0, not 1 to 86400 seconds",
            "",
        ),
        ("rollout_deadline = 600", "rollout_deadline = 1e9", "not 1 to 86400 seconds", ""),
        ('name = "shop"', "name = shop", "longshore.toml is not valid TOML", "quotes"),
        ('name = "shop"', 'name = "a-name-that-is-too-long"', "at most 20 letters", "AWS"),
        ('name = "shop"', 'name = "shop"\nid = "x"', "longshore.toml:6: project.id is not a setting", ""),
        ("aws_port = 4566", 'id = "x"', "environments.local.local.id is not a setting", ""),
        ("aws_port = 4566", 'context = "kind-kind"', "needs `registry` and `node_address`", "registry"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_nearest_right_word(
    tmp_path: Path, right: str, wrong: str, sentence: str, hint: str
) -> None:
    assert right in GOOD
    with pytest.raises(BadInput) as caught:
        read(tmp_path, GOOD.replace(right, wrong, 1))
    assert sentence in caught.value.sentence
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no longshore\.toml"):
        load(tmp_path, HOME)


def test_an_unknown_environment_names_the_nearest_one() -> None:
    with pytest.raises(BadInput) as caught:
        load(ROOT, HOME).environment("producton")
    assert caught.value.hint == "did you mean 'production'?"


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


def test_a_misspelt_environment_variable_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="regoin is not a setting"):
        read(tmp_path, GOOD, LONGSHORE__ENVIRONMENTS__LOCAL__REGOIN="x")


def test_two_checkouts_have_local_environments_of_their_own(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        local = read(tmp_path / name, GOOD).environments["local"].local
        assert local is not None
        ids.add(local.id)
    assert len(ids) == 2


def test_a_local_environment_cannot_reach_the_machines_own_aws_credentials() -> None:
    env = (
        load(ROOT, HOME | {"AWS_ACCESS_KEY_ID": "real", "AWS_SECRET_ACCESS_KEY": "real"})
        .environments["local"]
        .aws_env
    )
    assert env["AWS_ACCESS_KEY_ID"] == ""
    assert "real" not in env.values()


def test_keys_under_terraforms_names_reach_aws_as_secrets() -> None:
    environ = HOME | {
        "TF_VAR_AWS_ACCESS_KEY_ID": "key-of-seed",
        "TF_VAR_AWS_SECRET_ACCESS_KEY": "secret-of-seed",  # pragma: allowlist secret
    }
    env = load(ROOT, environ).environments["production"].aws_env
    assert env["AWS_ACCESS_KEY_ID"] == Secret("key-of-seed")
    assert "secret-of-seed" not in repr(env)
