"""What builders say, word for word, and what is made of it."""

from __future__ import annotations

import pytest

from longshore.errors import CommandFailed
from longshore.image import problems

ARM = """\
#7 [2/2] RUN true
#7 0.122 exec /bin/sh: exec format error
#7 ERROR: process "/bin/sh -c true" did not complete successfully: exit code: 255
------
 > [2/2] RUN true:
0.122 exec /bin/sh: exec format error
------
ERROR: failed to solve: process "/bin/sh -c true" did not complete successfully: exit code: 255"""
HERE = "ERROR: failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct"
THERE = "ERROR: Cannot connect to the Docker daemon at tcp://127.0.0.1:9. Is the docker daemon running?"


@pytest.mark.parametrize(
    ("program", "said", "platform", "code", "sentence", "hint"),
    [
        ("docker", ARM, "linux/amd64", 3, "cannot run programs for linux/amd64", "--install amd64"),
        ("docker", ARM, "", 5, "the image cannot be built", "nothing was pushed"),
        ("docker", "unknown flag: --file\n\nUsage:  docker", "linux/amd64", 3, "docker has no buildx", "plugin"),
        ("docker", "docker: unknown command: docker buildx", "linux/amd64", 3, "docker has no buildx", "plugin"),
        ("docker", HERE, "linux/amd64", 3, "Docker does not answer", "DOCKER_CONTEXT"),
        ("docker", THERE, "linux/amd64", 3, "Docker does not answer", "DOCKER_HOST"),
        ("buildctl", THERE, "linux/amd64", 5, "the image cannot be built", "nothing was pushed"),
    ],
)
def test_what_is_missing_is_told_from_what_is_wrong(
    program: str, said: str, platform: str, code: int, sentence: str, hint: str
) -> None:
    failure = problems.of(CommandFailed(program, 1, tail=said), platform)
    assert failure.exit_code == code
    assert sentence in failure.sentence
    assert hint in failure.hint


def test_a_mistake_in_the_dockerfile_is_shown_from_where_it_is_named() -> None:
    assert problems.of(CommandFailed("docker", 1, tail=ARM), "").detail.startswith("------\n > [2/2] RUN true:")
