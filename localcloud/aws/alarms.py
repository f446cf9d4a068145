"""Which state an alarm is in, as CloudWatch documents it, computed from datapoints alone.

Sources: "Alarm evaluation", "Configuring how CloudWatch alarms treat missing data" and "Using math expressions with
CloudWatch metrics" in Amazon CloudWatch's user guide.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from dataclasses import dataclass

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
# CloudWatch looks at more periods than an alarm needs, in case some have no datapoint. It does not say how many more;
# the guide's tables use two.
EXTRA = 2
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
ARITHMETIC = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


@dataclass(frozen=True)
class Rule:
    """An alarm's rule: `m` of `n` datapoints beyond the threshold, and how to treat missing ones."""

    comparison: str
    threshold: float
    n: int
    m: int
    missing: str = "missing"  # breaching, notBreaching, ignore

    def state(self, datapoints: list[float | None], before: str) -> str:
        """Return the new state, given the DATAPOINTS of the evaluation range (oldest first) and the state BEFORE."""
        compare = COMPARISONS[self.comparison]
        breaching = [None if value is None else bool(compare(value, self.threshold)) for value in datapoints]
        present = [breach for breach in breaching if breach is not None][-self.n :]
        absent = self.n - len(present)
        if sum(present) + (absent if self.missing == "breaching" else 0) >= self.m:
            return ALARM
        if not absent or False in present or self.missing in ("breaching", "notBreaching"):
            return OK
        if self.missing == "ignore":
            return before
        # All datapoints breach, but there are too few. It is still an alarm once the oldest is `m` periods old; before
        # that, the next one may be good: "Avoiding premature transitions to alarm state".
        return ALARM if present and len(breaching) - breaching.index(True) >= self.m else INSUFFICIENT_DATA

    def reason(self, datapoints: list[float | None]) -> str:
        """Return the reason for the state that DATAPOINTS led to, for people."""
        values = ", ".join("none" if value is None else f"{value:g}" for value in datapoints)
        rule = f"{self.m} of {self.n} {self.comparison} {self.threshold:g}, missing data is {self.missing}"
        return f"Datapoints, oldest first: {values} (alarm: {rule})"


def computed(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Return the value of metric math's EXPRESSION in one period, given the VALUES of its metrics in that period.

    Where a value is missing there is no datapoint, unless FILL(METRIC, VALUE) puts a number or another metric in its
    place; division by zero gives none either. Raises ValueError for anything but arithmetic and FILL.
    """
    try:
        return _value(ast.parse(expression, mode="eval").body, values)
    except ZeroDivisionError:
        return None


def _value(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand, values)
            return None if value is None else -value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            one, other = _value(left, values), _value(right, values)
            return None if one is None or other is None else float(ARITHMETIC[type(op)](one, other))
        case ast.Call(func=ast.Name(id=name), args=[metric, filler], keywords=[]) if name.upper() == "FILL":
            known, instead = _value(metric, values), _value(filler, values)
            return instead if known is None else known
    raise ValueError(f"the local AWS cannot compute `{ast.unparse(node)}` of metric math")
