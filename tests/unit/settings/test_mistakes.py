"""How a mistake in longshore.toml is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.errors import BadInput
from tests.unit.settings.files import GOOD, read

SHOP = '[project]\nname = "shop"\n[environments.a1]\n'
BASE = 'base_image = "python:3.11-slim-bookworm"'


def line(start: str) -> int:
    """Return the number of the first line of GOOD that begins with START."""
    return next(number for number, text in enumerate(GOOD.splitlines(), start=1) if text.startswith(start))


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
        ('path = "application"', 'check = ["/ä"]', "application.check.0 is '/ä', not a path at the application's", ""),
        ('path = "application"', 'check = ["/a b"]', "application.check.0 is '/a b', not a path", ""),
        ('path = "application"', 'check = ["/a?b"]', "application.check.0 is '/a?b', not a path", ""),
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
        ('name = "shop"', 'name = "my--shop"', "project.name is 'my--shop', not a name of 2 to 16", ""),
        ('name = "shop"', 'name = "kube-shop"', "project.name is 'kube-shop', not a name of 2 to 16", ""),
        ('name = "shop"', 'name = "sg-shop"', "project.name is 'sg-shop', not a name of 2 to 16", ""),
        ('name = "shop"', 'name = "a-name-that-is-too-long"', "not a name of 2 to 16", ""),
        ('name = "shop"', 'name = "shop"\nid = "x"', "project.id is not a setting", "known here: name"),
        ('region = "eu-central-1"', 'region = ""', "region is '', not a region of AWS, such as", ""),
        ('region = "eu-central-1"', 'region = "Frankfurt"', "region is 'Frankfurt', not a region of AWS", ""),
        ('account = "111111111111"', 'account = "1111"', "account is '1111', not the number of an AWS account", ""),
        ("https_port = 8443", 'region = "eu-west-1"', "environments.local.variables.region is no variable to set", ""),
        ("https_port = 8443", "a = nan", "environments.local.variables.a is nan, and Terraform has no such number", ""),
        ("https_port = 8443", "a = -inf", "environments.local.variables.a is -inf, and Terraform has no", ""),
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


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1:99999", "1.1.1.1:0", "999.999.999.999", "256.1.1.1", "\u0661.1.1.1", "1.1.1", "01.1.1.1", "1.1.1.1:"],
)
def test_what_no_name_server_can_be_asked_at_is_a_mistake(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadInput, match=r"environments.a1.resolvers.0 is .*, not an IPv4 address"):
        read(tmp_path, f'{SHOP}resolvers = ["{address}"]\n')


@pytest.mark.parametrize("address", ["1.1.1.1", "255.249.199.0:65535", "10.0.0.10:53", "127.0.0.1:1"])
def test_a_name_server_has_an_address_and_a_port(tmp_path: Path, address: str) -> None:
    assert read(tmp_path, f'{SHOP}resolvers = ["{address}"]\n').environments["a1"].resolvers == [address]


@pytest.mark.parametrize("name", ["Shop_X", "a/b", "-x", "x-", "x" * 64, "kube-system", "default"])
def test_a_namespace_that_cannot_be_the_applications_own_is_a_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=f"environments.a1.namespace is '{name}', not a namespace of its own"):
        read(tmp_path, f'{SHOP}namespace = "{name}"\n')


@pytest.mark.parametrize("name", ["", "x", "kube", "default-shop", "x" * 63])
def test_a_namespace_is_any_other_name_of_kubernetes(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f'{SHOP}namespace = "{name}"\n').environments["a1"].namespace == (name or "shop")


@pytest.mark.parametrize("name", ["a b", "a/b", "..", ".", "..a", "", "ä", "a=b", "x" * 300])
def test_a_secret_whose_name_no_file_and_variable_can_have_is_a_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"environments.a1.secrets.* is .*, not a name of a file and a variable"):
        read(tmp_path, f'{SHOP}secrets = {{ "{name}" = "id" }}\n')


@pytest.mark.parametrize("name", ["SECRET_KEY", "db.password", "tls-key", "_x", ".pgpass", "x" * 253])
def test_a_secret_is_called_as_kubernetes_lets_it(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f'{SHOP}secrets = {{ "{name}" = "id" }}\n').environments["a1"].secrets == {name: "id"}
