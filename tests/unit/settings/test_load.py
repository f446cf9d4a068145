"""longshore.toml: what is read, and how a mistake is reported."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from longshore.errors import BadInput
from longshore.process.command import Secret
from longshore.settings.gates import UsualTests
from longshore.settings.load import load
from tests.unit.settings.files import GOOD, HOME, ROOT, read

SHOP = '[project]\nname = "shop"\n[environments.a1]\n'


def test_the_projects_own_file_loads_whatever_its_users_made_of_it() -> None:
    assert load(ROOT, HOME).environments


def test_a_file_says_what_each_environment_is(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert set(settings.environments) == {"local", "staging", "production"}
    assert settings.environments["production"].protected
    assert settings.environments["local"].endpoint_url == "http://127.0.0.1:4566"
    assert settings.environments["staging"].endpoint_url == ""


def test_where_the_tests_are_nobody_looks_before_the_sources_are_known(tmp_path: Path) -> None:
    text = '[project]\nname = "shop"\n[application]\npath = "backend"\n[environments.blue]\n'
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_shop.py").touch()
    (unit,) = read(tmp_path, text).gates.tests.values()
    assert unit == UsualTests(paths=["tests/unit", "tests", "test", "backend/tests"], reads=["**"])
    said = f'{text}[gates.tests.shop]\npaths = ["x"]\nreads = ["y"]\n'
    assert [*read(tmp_path, said).gates.tests] == ["shop"]
    assert not isinstance(read(tmp_path, said).gates.tests["shop"], UsualTests)


def test_a_terraform_variable_may_be_a_fraction(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        '[project]\nname = "shop"\n[environments.blue.variables]\nlatency_threshold_seconds = 1.5\nnode_count = 2\n',
    )
    assert repr(settings.environment("blue").variables) == repr({"latency_threshold_seconds": 1.5, "node_count": 2})


def test_what_is_left_out_follows_from_the_name(tmp_path: Path) -> None:
    settings = read(tmp_path, '[project]\nname = "shop"\n[environments.blue]\n')
    blue = settings.environment("blue")
    assert (blue.namespace, blue.overlay, blue.variables_file) == ("shop", "blue", "terraform/environments/blue.tfvars")
    assert (blue.approve, blue.protected, blue.local) == ("manual", False, None)


@pytest.mark.parametrize("path", ["tests/", "./tests", ".", "tests/test_a.py::test_b", "my tests/..a"])
def test_tests_are_named_as_pytest_is_told_of_them(tmp_path: Path, path: str) -> None:
    text = f'{SHOP}[gates.tests.unit]\nreads = ["**"]\npaths = '
    assert read(tmp_path, f'{text}["{path}"]').gates.tests["unit"].paths == [path]
    with pytest.raises(BadInput, match=r"gates\.tests\.unit\.paths\.0 is '\.\./.*', not a folder of the project"):
        read(tmp_path, f'{text}["../{path}"]')


@pytest.mark.parametrize("instead", ['run = ["true"]', 'off = "by hand"'])
def test_no_suite_is_needed_where_the_tests_are_theirs_or_off(tmp_path: Path, instead: str) -> None:
    assert not read(tmp_path, f"{SHOP}[gates]\ntests = {{}}\n[gates.test]\n{instead}\n").gates.tests


OWN = 'project = {{name = "shop"}}\nenvironments.a1 = {{}}\n[steps.eslint]\nrun = ["true"]\nreports = [{0!r}]\n'


@pytest.mark.parametrize(
    "path", ["/etc/cron.d/x", "../x.xml", "a/../../x.xml", "a/..", "..", ".", "", "a//b.xml", "a/./b"]
)
def test_a_report_of_a_step_lies_inside_the_project(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadInput, match=r"is .*, not a path inside the project"):
        read(tmp_path, OWN.format(path))


@pytest.mark.parametrize("path", ["eslint.xml", "reports/my report.xml", ".hidden", "a/..b/c..", "zażółć.xml"])
def test_any_name_inside_the_project_may_be_a_report(tmp_path: Path, path: str) -> None:
    assert read(tmp_path, OWN.format(path)).steps["eslint"].reports == [path]


REVIEWED = """
[project]
name = "shop"
[environments.staging]
protected = true
[environments.production]
protected = true
[pipeline]
environments = ["staging", "production"]
[pipeline.review]
"""


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('environment = "production"', "longshore.toml:11: pipeline.review.environment is production, which users are"),
        ('environment = "stagin"', "longshore.toml:11: pipeline.review.environment is 'stagin', which is no"),
        ('environment = "staging"\nhours = 0', "longshore.toml:12: pipeline.review.hours is 0, not 1 to 336 hours"),
        ("hours = 5", "pipeline.review.environment is missing"),
    ],
)
def test_what_nobody_has_reviewed_runs_beside_an_earlier_environment(
    tmp_path: Path, setting: str, problem: str
) -> None:
    assert (review := read(tmp_path, f'{REVIEWED}environment = "staging"').pipeline.review)
    assert (review.environment, review.hours) == ("staging", 72)
    with pytest.raises(BadInput, match=re.escape(problem)):
        read(tmp_path, REVIEWED + setting)
    alone = REVIEWED.replace('environments = ["staging", "production"]', "")
    with pytest.raises(BadInput, match=r"pipeline\.review\.environment is production, which users are"):
        read(tmp_path, f'{alone}environment = "production"')


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"there is no longshore\.toml"):
        load(tmp_path, HOME)


@pytest.mark.parametrize("name", ["two\nlines", os.fsdecode(b"latin-\xe9")])
def test_a_path_that_other_programs_cannot_be_given_is_bad_input(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(BadInput, match="cannot work with this path"):
        read(tmp_path / name, GOOD)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert read(tmp_path, f"\ufeff{GOOD}").project.name == "shop"


def test_a_file_that_is_no_text_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_bytes(b"[project]\nname = '\xe9'\n")
    with pytest.raises(BadInput, match=r"longshore\.toml cannot be read: .utf-8. codec"):
        load(tmp_path, HOME)
    with pytest.raises(BadInput, match=r"longshore\.toml is not valid TOML"):
        read(tmp_path, f"a = {'[' * 9999}{']' * 9999}")
    (tmp_path / "longshore.toml").unlink()
    os.mkfifo(tmp_path / "longshore.toml")  # reading it would wait for ever
    with pytest.raises(BadInput, match=r"longshore\.toml is not a file"):
        load(tmp_path, HOME)


@pytest.mark.parametrize("name", ["../own", "a/b", ""])
def test_a_step_of_ones_own_keeps_its_log_in_the_project(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="not a name of letters"):
        read(tmp_path, f'{GOOD}\n[steps."{name}"]\nrun = ["true"]\n')


def test_an_unknown_environment_names_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, GOOD).environment("producton")
    assert caught.value.hint == "did you mean 'production'?"


def test_two_checkouts_have_local_environments_of_their_own(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        local = read(tmp_path / name, GOOD).environments["local"].local
        assert local is not None
        ids.add(local.id)
    assert len(ids) == 2


def test_a_local_environment_cannot_reach_the_machines_own_aws_credentials(tmp_path: Path) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "real", "AWS_SECRET_ACCESS_KEY": "real"}
    env = read(tmp_path, GOOD, **environ).environments["local"].aws_env
    assert env["AWS_ACCESS_KEY_ID"] == ""
    assert "real" not in env.values()


def test_keys_under_terraforms_names_reach_aws_as_secrets(tmp_path: Path) -> None:
    environ = {
        "TF_VAR_AWS_ACCESS_KEY_ID": "key-of-seed",
        "TF_VAR_AWS_SECRET_ACCESS_KEY": "secret-of-seed",  # pragma: allowlist secret
    }
    env = read(tmp_path, GOOD, **environ).environments["production"].aws_env
    assert env["AWS_ACCESS_KEY_ID"] == Secret("key-of-seed")
    assert "secret-of-seed" not in repr(env)


def test_another_checkouts_environment_is_met_as_aws_is_met(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for folder in (mine, theirs):
        folder.mkdir()
        (folder / "longshore.toml").write_text(GOOD)
    shell = {"HOME": "/h", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ROLE_ARN": "arn"}
    owner = load(theirs, shell).environments["local"]
    guest = load(mine, {**shell, "LONGSHORE_CHECKOUT": str(theirs)}).environments["local"]
    assert owner.local
    assert guest.local
    assert (guest.local.id, guest.local.state, guest.local.checkout) == (owner.local.id, owner.local.state, theirs)
    assert (owner.local.guest, guest.local.guest) == (False, True)
    assert (owner.endpoint_url, guest.endpoint_url) == ("http://127.0.0.1:4566", "")
    assert guest.aws_env["AWS_ROLE_ARN"] == "arn"
    assert "AWS_ROLE_ARN" not in owner.aws_env
    assert load(theirs, {**shell, "LONGSHORE_CHECKOUT": str(theirs)}).environments["local"] == owner
