"""A command describes itself."""

from __future__ import annotations

from longshore.process.command import Kind, Secret, change, query


def test_the_secrets_of_a_command_come_from_everything_that_is_passed_to_it() -> None:
    first, second, third = Secret("first-of-seed"), Secret("second-of-seed"), Secret("third-of-seed")
    command = query("login", env={"USER": "ada", "PASS": first}, stdin=second, secrets=(third,))
    assert set(command.all_secrets) == {first, second, third}
    assert query("login", stdin="ada").all_secrets == ()


def test_a_command_is_shown_as_a_person_would_type_it() -> None:
    command = change("/usr/bin/touch", "a b", "$HOME")
    assert (command.text, command.program, command.kind) == ("/usr/bin/touch 'a b' '$HOME'", "touch", Kind.CHANGE)
