"""When an alarm is in which state, as CloudWatch documents it: functions of datapoints alone.

Sources: "Alarm evaluation", "Configuring how CloudWatch alarms treat missing data" and "Using math expressions with CloudWatch
metrics" in Amazon CloudWatch's user guide.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
# CloudWatch looks at more periods than an alarm counts, in case some have no datapoint. How many more it leaves open; in the
# guide's tables it is two.
EXTRA = 2
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What an alarm compares: `m` of `n` datapoints beyond the threshold; what counts where one is missing."""

    comparison: str
    threshold: float
    n: int
    m: int
    missing: str = "missing"  # breaching, notBreaching, ignore

    def state(self, datapoints: list[float | None], before: str) -> str:
        """Return the state that the evaluation range DATAPOINTS (oldest first) leads to from the state BEFORE."""
        compare = COMPARISONS[self.comparison]
        reached = [None if one is None else bool(compare(one, self.threshold)) for one in datapoints]
        real = [one for one in reached if one is not None][-self.n :]
        lacking = self.n - len(real)
        if sum(real) + (lacking if self.missing == "breaching" else 0) >= self.m:
            return ALARM
        if not lacking or False in real or self.missing in ("breaching", "notBreaching"):
            return OK
        if self.missing == "ignore":
            return before
        # All that there is breaches and is too little. It is an alarm all the same once the oldest is `m` periods old; before
        # that the next one may be good: "Avoiding premature transitions to alarm state".
        return ALARM if real and len(reached) - reached.index(True) >= self.m else INSUFFICIENT_DATA

    def reason(self, datapoints: list[float | None]) -> str:
        """Return what a person is told of the state that DATAPOINTS led to."""
        said = ", ".join("none" if one is None else f"{one:g}" for one in datapoints)
        rule = f"{self.m} of {self.n} {self.comparison} {self.threshold:g}, a missing one is {self.missing}"
        return f"Datapoints, the oldest first: {said} (alarm: {rule})"


def computed(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Return what metric math's EXPRESSION is in one period, from VALUES of its metrics in this period.

    A missing value counts as 0, and a division by zero gives no datapoint. Raises ValueError for what is beyond arithmetic.
    """
    try:
        known = any(value is not None for value in values.values())
        return _value(ast.parse(expression, mode="eval").body, values) if known else None
    except ZeroDivisionError:
        return None


def _value(node: ast.expr, values: Mapping[str, float | None]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in values:
            return values[name] or 0.0
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            return float(ARITHMETIC[type(op)](_value(left, values), _value(right, values)))
    raise ValueError(f"the local AWS cannot compute `{ast.unparse(node)}` of metric math")
