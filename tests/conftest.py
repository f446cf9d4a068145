"""For all tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

HEARD = {signal.SIGHUP: signal.SIG_DFL, signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}


@pytest.fixture(autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Have programs that a test starts hear signals, also where the tests run under `nohup` or in the background.

    Those ignore some signals, and Longshore heeds that.
    """
    ignored = [number for number in HEARD if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, HEARD[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
