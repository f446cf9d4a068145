"""What a program leaves behind ends with it, whatever session it is in, and nothing else does."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.process import left

TIDY = """\
trap 'echo told >> told; sleep 0.5; echo clean >> told; exit' TERM
touch up
while :; do sleep 0.1; done
"""
ABOVE = """\
sh tidy.sh &
trap "kill $!; wait $!; exit" TERM
wait
"""
DEAF = """\
trap '' TERM
touch up
while :; do sleep 0.1; done
"""


class Leaves:
    """A folder of programs that were left running, with that folder as HOME."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name, script in {"tidy": TIDY, "above": ABOVE, "deaf": DEAF}.items():
            (home / f"{name}.sh").write_text(script)

    def start(self, name: str) -> None:
        """Leave the script NAME running in a session of its own, and wait until it listens to signals or does not."""
        env = os.environ | {"HOME": str(self.home)}
        subprocess.run(["sh", "-c", f"setsid sh {name}.sh &"], env=env, cwd=self.home, check=True, timeout=10)
        end = time.monotonic() + 10
        while not (self.home / "up").exists():
            assert time.monotonic() < end
            time.sleep(0.02)

    def end(self, patience: float) -> None:
        left.end("HOME", str(self.home), patience)

    @property
    def told(self) -> str:
        return (self.home / "told").read_text()


@pytest.fixture
def leaves(tmp_path: Path) -> Iterator[Leaves]:
    """They are ended, and what has another HOME is not."""
    with subprocess.Popen(["sleep", "60"], env=os.environ | {"HOME": f"{tmp_path}-other"}) as other:
        yield Leaves(tmp_path)
        assert not left.having("HOME", str(tmp_path))
        assert other.poll() is None
        other.kill()


def test_each_is_told_once_and_may_clean_up(leaves: Leaves) -> None:
    leaves.start("tidy")
    leaves.end(10)
    assert leaves.told == "told\nclean\n"


def test_one_that_something_above_it_ends_is_not_told_as_well(leaves: Leaves) -> None:
    leaves.start("above")
    leaves.end(10)
    assert leaves.told == "told\nclean\n"


def test_one_that_does_not_listen_is_killed(leaves: Leaves) -> None:
    leaves.start("deaf")
    leaves.end(0.5)
