"""What the shell says of AWS: where an environment in AWS gets its credentials, the same for every program.

botocore and Terraform look for credentials by themselves, in the same places, as long as they see the same variables.
Two things they do not do alike or at all: prefer the role of a job's own token to a key or a profile that somebody
forgot to remove, and take a key under the name that an older pipeline gave it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from longshore.process.command import Secret

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
TOKENS = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
SECRETS = (*KEYS, *TOKENS, "AWS_CONTAINER_AUTHORIZATION_TOKEN")
PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
ROLE = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")
PROOF = "AWS_ID_TOKEN"  # of GitLab: whoever exchanges it gets it in a file, and no program sees the variable
OLDER = "TF_VAR_"  # the GitLab project that this one continues kept its keys under Terraform's names

Variables = dict[str, str | Secret]


class Credentials(Struct, frozen=True, kw_only=True):
    """The AWS_… variables of the shell that count, and a sentence about those that do not; empty where all do.

    One that is empty is so on purpose: it keeps the shell's own from whoever starts a program by hand.
    """

    variables: Variables = {}
    ignored: str = ""


def of_profile(variables: Variables, profile: str) -> Variables:
    """Return VARIABLES with the profile PROFILE of the user's AWS configuration instead of any key, role or profile."""
    others = {name: value for name, value in variables.items() if name not in ROLE}
    return others | dict.fromkeys((*KEYS, *TOKENS), "") | dict.fromkeys(PROFILES, profile)


def of_shell(environ: Mapping[str, str]) -> Credentials:
    """Return what ENVIRON says of AWS: the role of a job's own token before all else, a key by either of its names."""
    given = {name: value for name, value in environ.items() if name.startswith("AWS_") and value and name != PROOF}
    older = {name: value for name in KEYS if (value := environ.get(OLDER + name))}
    others = [name for name in (*KEYS, *PROFILES) if name in given] + [OLDER + name for name in older]
    ignored = ""
    if all(name in given for name in ROLE):
        if others:
            given = {name: value for name, value in given.items() if name not in PROFILES}
            given |= dict.fromkeys((*KEYS, *TOKENS), "")
            ignored = f"{' and '.join(ROLE)} are set, so these do not count: {', '.join(others)}; remove them"
    elif len(older) == len(KEYS) and not any(name in given for name in KEYS):
        given = {name: value for name, value in given.items() if name not in TOKENS} | older  # a token of another key
    variables = {name: Secret(value) if value and name in SECRETS else value for name, value in given.items()}
    return Credentials(variables=variables, ignored=ignored)
