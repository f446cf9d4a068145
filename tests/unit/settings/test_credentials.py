"""Which of the shell's AWS variables count: a role before any key, and never half of one key with half of another."""

from __future__ import annotations

from longshore.process.command import Secret
from longshore.settings.credentials import of_profile, of_shell

KEY = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}  # pragma: allowlist secret
OLDER = {f"TF_VAR_{name}": f"older-{value}" for name, value in KEY.items()}
ROLE = {"AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}
NO_KEY = dict.fromkeys((*KEY, "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"), "")


def revealed(environ: dict[str, str]) -> dict[str, str]:
    variables = of_shell(environ).variables
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in variables.items()}


def test_what_the_shell_says_of_aws_counts_as_it_stands_and_nothing_else() -> None:
    aws = {**KEY, "AWS_SESSION_TOKEN": "token", "AWS_CONFIG_FILE": "/c", "AWS_ENDPOINT_URL": "http://x"}
    assert revealed({**aws, "AWS_PROFILE": "", "HOME": "/h", "TF_VAR_region": "x"}) == aws
    assert of_shell(aws).ignored == ""
    assert "secret" not in repr(of_shell(aws))
    assert "token" not in repr(of_shell({"AWS_CONTAINER_AUTHORIZATION_TOKEN": "token"}).variables.values())


def test_a_key_under_terraforms_names_is_a_key_without_anyone_elses_session_token() -> None:
    found = revealed({**OLDER, "AWS_SESSION_TOKEN": "token", "AWS_PROFILE": "work"})
    assert found == {
        "AWS_ACCESS_KEY_ID": "older-key",
        "AWS_SECRET_ACCESS_KEY": "older-secret",  # pragma: allowlist secret
        "AWS_PROFILE": "work",
    }


def test_a_profile_that_is_asked_for_counts_before_what_the_shell_says() -> None:
    found = of_profile(of_shell({**KEY, **ROLE, "AWS_PROFILE": "live", "AWS_CONFIG_FILE": "/c"}).variables, "staging")
    assert found == {**NO_KEY, "AWS_PROFILE": "staging", "AWS_DEFAULT_PROFILE": "staging", "AWS_CONFIG_FILE": "/c"}


def test_halves_of_two_keys_are_not_put_together() -> None:
    half = {"AWS_ACCESS_KEY_ID": "key"}
    assert revealed({**half, **OLDER}) == half
    assert revealed({"TF_VAR_AWS_ACCESS_KEY_ID": "key"}) == {}
    assert revealed({**KEY, **OLDER}) == KEY


def test_a_role_wins_over_key_and_profile_which_are_named() -> None:
    assert revealed({**ROLE, **KEY, "AWS_SESSION_TOKEN": "token"}) == ROLE | NO_KEY
    assert of_shell({**ROLE, **KEY}).ignored == (
        "AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are set, so these do not count: AWS_ACCESS_KEY_ID,"
        " AWS_SECRET_ACCESS_KEY; remove them"
    )
    assert ": TF_VAR_AWS_ACCESS_KEY_ID, TF_VAR_AWS_SECRET_ACCESS_KEY; " in of_shell({**ROLE, **OLDER}).ignored
    assert revealed({**ROLE, "AWS_PROFILE": "work"}) == ROLE | NO_KEY
    assert ": AWS_PROFILE; " in of_shell({**ROLE, "AWS_PROFILE": "work"}).ignored
    assert revealed({**ROLE, **OLDER}) == ROLE | NO_KEY


def test_a_role_without_its_token_is_none() -> None:
    assert revealed({**KEY, "AWS_ROLE_ARN": "arn"}) == {**KEY, "AWS_ROLE_ARN": "arn"}
    assert of_shell({**ROLE}).ignored == ""


def test_a_jobs_own_token_is_for_nobody_but_the_exchange() -> None:
    assert revealed({"AWS_ID_TOKEN": "of-gitlab", "AWS_ROLE_ARN": "arn"}) == {"AWS_ROLE_ARN": "arn"}
