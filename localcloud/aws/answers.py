"""Answers that did not arrive: an SDK that got none sends its call once more, and gets the same one.

All attempts of a call have one `amz-sdk-invocation-id`. Amazon does not look at it, so there a lost answer to "create"
makes the next attempt end with "exists already", and the apply with it. Clients on a machine that is busy with a
cluster and its tests lose more of them than others do (decision 67), which says nothing about what is created.
"""

from __future__ import annotations

from collections import OrderedDict

from localcloud.aws.call import Answer, Call

KEPT = 500  # answers; the SDKs ask again within seconds


class Answers:
    """The last answers to calls that changed something. The caller sees to it that one request is served at a time."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], Answer] = OrderedDict()

    def given(self, call: Call) -> Answer | None:
        """Return what an earlier attempt of CALL was answered, if it changed something."""
        return self._kept.get(_identity(call)) if call.attempt > 1 else None

    def keep(self, call: Call, answer: Answer) -> None:
        """Keep ANSWER for further attempts of CALL, unless it refuses: what was missing may be there by then."""
        identity = _identity(call)
        if call.changes and answer[0] < 400 and all(identity):
            self._kept[identity] = answer
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _identity(call: Call) -> tuple[str, ...]:
    """Return who calls, what, and the name that all attempts share; empty strings for what the call does not say."""
    key = call.authorization[0] if call.authorization else ""
    return key, call.service, call.action, call.headers.get("amz-sdk-invocation-id", "")
