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

BASE = 'base_image = "python:3.11-slim-bookworm"'


def line(start: str) -> int:
    """Return the number of the first line of GOOD that begins with START."""
    return next(number for number, text in enumerate(GOOD.splitlines(), start=1) if text.startswith(start))


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


@pytest.mark.parametrize(
    ("right", "wrong", "sentence", "hint"),
    [
        ('approve = "auto"', 'aprove = "auto"', "environments.local.aprove is not a setting", "'approve'"),
        ('approve = "auto"', 'approve = "never"', "approve is 'never', not one of 'auto', 'manual'", "comments"),
        ('approve = "auto"', "approve = 7", "environments.local.approve is 7, not one of 'auto', 'manual'", "comments"),
        ("aws_port = 4566", 'aws_port = "x"', "environments.local.local.aws_port is 'x', not a port from 1024", ""),
        ("aws_port = 4566", "aws_port = 1e9", "environments.local.local.aws_port is 1000000000.0, not a port", ""),
        ("aws_port = 4566", "aws_port = 70000", "aws_port is 70000, not a port from 1024 to 65535", ""),
        ("aws_port = 4566", "aws_port = true", "aws_port is true, not a port", ""),
        ("aws_port = 4566", 'id = "x"', "environments.local.local.id is not a setting", ""),
        ("aws_port = 4566", "nodes = 3", "environments.local.local.nodes is 3, not 1 or 2", "what each key takes"),
        ("aws_port = 4566", 'context = "kind-kind"', "needs `registry` and `node_address`", "registry"),
        ("pull = 30", "pull = -1", "environments.local.patience.pull is -1, not 0 to 86400 seconds", ""),
        ("pull = 30", "pul = 30", "environments.local.patience.pul is not a setting", "'pull'"),
        ("port = 5000", "port = 1.5", "application.port is 1.5, not a port from 1 to 65535", ""),
        ('path = "application"', "path = 3", "application.path is 3, not a folder of the project", ""),
        ('path = "application"', 'path = "../other"', "is '../other', not a folder of the project", ""),
        ('paths = ["tests/unit"]', 'paths = "tests/unit"', "toolkit.paths is 'tests/unit', not a list", ""),
        ('paths = ["tests/unit"]', "paths = [1]", "gates.tests.toolkit.paths.0 is 1, not a folder of", ""),
        ('paths = ["tests/unit"]', "paths = []", "gates.tests.toolkit.paths is a list, not a list of at least one", ""),
        ('paths = ["tests/unit"]', 'paths = ["/etc"]', "paths.0 is '/etc', not a folder of the project", ""),
        ("[gates.tests.toolkit]", '[gates.tests."a/b"]', "gates.tests.a/b is 'a/b', not a name of", ""),
        ("[gates.tests.toolkit]", '[gates.tests."a: b"]', "gates.tests.a: b is 'a: b', not a name of", ""),
        ("[gates.tests.toolkit]", f"[gates.tests.{'x' * 65}]", "not a name of letters, digits, dashes", ""),
        (BASE, 'base_image = ""', "application.base_image is '', not an image", ""),
        (BASE, 'base_image = "a\\nRUN b"', "application.base_image is 'a\\nRUN b', not an image", ""),
        (
            'path = "application"',
            'command = ["a\\u0000b"]',
            "application.command.0 has a NUL byte",
            "no file, argument",
        ),
        ("protected = true", "protected = 1", "environments.staging.protected is 1, not true or false", ""),
        ("https_port = 8443", "https_port = [1]", "environments.local.variables.https_port.0 is 1, not text", ""),
        ("https_port = 8443", "https_port = 2026-01-01", "https_port is datetime.date(2026, 1, 1), not true or", ""),
        ("rollout_deadline = 600", "rollout_deadline = nan", "rollout_deadline is nan, not 1 to 86400 seconds", ""),
        ("rollout_deadline = 600", "rollout_deadline = -1", "rollout_deadline is -1, not 1 to 86400 seconds", ""),
        ("rollout_deadline = 600", "rollout_deadline = 1e9", "not 1 to 86400 seconds", ""),
        ('name = "shop"', 'name = "Shop"', "project.name is 'Shop', not a name of 2 to 16 lower-case letters", ""),
        ('name = "shop"', 'name = "my_shop"', "project.name is 'my_shop', not a name of 2 to 16", ""),
        ('name = "shop"', 'name = "a-name-that-is-too-long"', "not a name of 2 to 16", ""),
        ('name = "shop"', 'name = "shop"\nid = "x"', "project.id is not a setting", "known here: name"),
        ('region = "eu-central-1"', 'region = ""', "region is '', not a region of AWS, such as", ""),
        ('region = "eu-central-1"', 'region = "Frankfurt"', "region is 'Frankfurt', not a region of AWS", ""),
        ('account = "111111111111"', 'account = "1111"', "account is '1111', not the number of an AWS account", ""),
        ("https_port = 8443", 'region = "eu-west-1"', "environments.local.variables.region is no variable to set", ""),
        ("https_port = 8443", 'project = "x"', "environments.local.variables.project is no variable to set", "`name`"),
        ("[environments.staging]", "[environments.Blue]", "environments.Blue is 'Blue', not a name of 2 to 21", ""),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_nearest_right_word(
    tmp_path: Path, right: str, wrong: str, sentence: str, hint: str
) -> None:
    assert right in GOOD
    with pytest.raises(BadInput) as caught:
        read(tmp_path, GOOD.replace(f"\n{right}", f"\n{wrong}", 1))
    assert caught.value.sentence.startswith(f"longshore.toml:{line(right) + wrong.count(chr(10))}: ")
    assert sentence in caught.value.sentence
    assert hint in caught.value.hint
    assert caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("[projct]\n", "longshore.toml:1: projct is not a setting", "'project'"),
        ("\n[project]\n[environments.a1]", "longshore.toml:2: project.name is missing", "`name = …` under [project]"),
        ("[environments.a1]\n", "longshore.toml:1: project is missing", "add [project]"),
        ('[project]\nname = "shop"\n', "longshore.toml:1: environments is missing", "[environments.NAME]"),
        ('environments = {}\nproject = {name = "shop"}\n', "longshore.toml:1: environments is a table, not", ""),
        ('environments.a1 = 3\nproject = {name = "shop"}\n', "longshore.toml:1: environments.a1 is 3, not a table", ""),
        ("[project]\nname = shop\n", "longshore.toml is not valid TOML", "quotes"),
        (f"[project]\nname = {'1' * 5000}\n", "longshore.toml is not valid TOML: Exceeds the limit", "quotes"),
        (f"{SHOP}[gates.tests]\n", "longshore.toml:4: gates.tests has no suite", '`off = "…"` under [gates.test]'),
        (
            f'{SHOP}[pipeline]\nproviders = ["bitbucket"]',
            "pipeline.providers.0 is 'bitbucket', not one of 'gitlab'",
            "",
        ),
        (f'{SHOP}[pipeline]\nenvironments = ["A1"]', "pipeline.environments.0 is 'A1', not a name of 2 to 21", ""),
        (f'{SHOP}[pipeline]\ndocker = ""', "longshore.toml:5: pipeline.docker is '', not an image", ""),
        (f'{SHOP}[pipeline]\nimage = "a:"', "longshore.toml:5: pipeline.image is 'a:', not an image", ""),
        (f'{SHOP}[pipeline]\ndrift = "{"1" * 5000} 1 1 1 1"', "longshore.toml:5: pipeline.drift has the minute", ""),
        (f'{SHOP}[steps.a]\nrun = [""]', "longshore.toml:5: steps.a.run.0 is '', not a program", ""),
    ],
)
def test_what_is_missing_or_no_table_is_a_mistake(tmp_path: Path, text: str, sentence: str, hint: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(tmp_path, text)
    assert sentence in caught.value.sentence
    assert hint in caught.value.hint


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
