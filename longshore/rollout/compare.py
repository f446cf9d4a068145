"""Decides whether new pods do worse than old ones, from what each has answered. Pure: counts in, a sentence out.

The rule: with at least LEAST requests on either side,

- **errors**: SOME or more of the new pods' requests failed, their share is above that of the same requests at the old
  pods by more than the budget for errors, and chance does not explain the difference (two proportions, pooled: SURE
  standard errors or more);
- **latency**: for the same mix of requests new pods take TIMES as long on average as old pods or longer, and MORE
  seconds longer at least, and chance does not explain that they take TIMES as long (SURE standard errors). The mean is
  what any histogram tells exactly; its standard error, from the buckets, keeps a few outliers from deciding.

Requests are compared route by route: whoever keeps asking one pod for what is slow or fails says nothing about it. Both
are looked at again and again until a step ends; SURE is high enough for that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from msgspec import Struct

LEAST = 50  # requests
SOME = 3  # failed ones
SURE = 4.0  # standard errors; with 3, one canary in 50 was taken back for nothing, since it is looked at so often
TIMES, MORE = 1.5, 0.020  # times as long, and seconds longer

SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# The names that exporters give to a counter of requests and a histogram of their seconds.
COUNTER = re.compile(r"(?!\w*client)\w*(?:http|requests?)\w*_total|(?!\w*client)http_requests?")
SECONDS = re.compile(r"(?!\w*client)(\w*http\w*(?:duration|latency)_seconds)_(bucket|sum|count)")
STATUS = ("status", "code", "status_code", "http_status")
ROUTE = ("route", "path", "url_rule", "endpoint", "handler")


class Stat(Struct, frozen=True):
    """What became of some requests: each field is a sum, so that counts can be added and subtracted.

    `timed` of them took `seconds` together. `middle` and `square` are the sums of the seconds, and of their squares, as
    far as buckets tell them: by which they vary.
    """

    requests: float = 0
    failed: float = 0
    timed: float = 0
    seconds: float = 0
    middle: float = 0
    square: float = 0

    @classmethod
    def of(cls, seconds: float, *, failed: bool) -> Stat:
        return cls(1, float(failed), 1, seconds, seconds, seconds**2)

    def plus(self, other: Stat, sign: int = 1) -> Stat:
        return Stat(*(getattr(self, name) + sign * getattr(other, name) for name in self.__struct_fields__))

    @property
    def mean(self) -> float:
        return self.seconds / self.timed if self.timed else 0.0

    @property
    def variance(self) -> float:
        return max(0.0, self.square / self.timed - (self.middle / self.timed) ** 2) if self.timed else 0.0


Tally = Mapping[str, Stat]  # by route


def together(tallies: Iterable[Tally], sign: int = 1) -> dict[str, Stat]:
    """Return the sum of TALLIES; with a SIGN of -1 the first one without the others."""
    summed: dict[str, Stat] = {}
    for number, tally in enumerate(tallies):
        for route, stat in tally.items():
            summed[route] = summed.get(route, Stat()).plus(stat, sign if number else 1)
    return summed


def total(tally: Tally) -> Stat:
    """Return the sum over all routes."""
    summed = Stat()
    for stat in tally.values():
        summed = summed.plus(stat)
    return summed


def worse(new: Tally, old: Tally, margin: float) -> str:
    """Return in which way pods that did NEW do worse than those that did OLD, an empty text where they do not.

    MARGIN is the share of requests that may fail beyond those of the old pods.
    """
    ours, theirs = total(new), total(old)
    if min(ours.requests, theirs.requests) < LEAST:
        return ""
    expected = spread = 0.0  # failed requests, if the old pods had had those of the new ones; and their variance
    for route, stat in new.items():
        usual = old.get(route, Stat())
        usual = usual if usual.requests else theirs  # what no old pod knows may fail as often as the rest
        pooled = (stat.failed + usual.failed) / (stat.requests + usual.requests)
        expected += stat.requests * usual.failed / usual.requests
        spread += stat.requests * pooled * (1 - pooled) * (1 + stat.requests / usual.requests)
    more = ours.failed - expected
    if ours.failed >= SOME and more > margin * ours.requests and more >= SURE * math.sqrt(spread):
        share, usually = ours.failed / ours.requests, expected / ours.requests
        same = f"{usually:.1%} of the same requests at the old pods ({theirs.requests:.0f})"
        return f"{share:.1%} of its {ours.requests:.0f} requests failed, and {same}"
    return _slower(new, old)


def _slower(new: Tally, old: Tally) -> str:
    both = [(stat, old[route]) for route, stat in new.items() if route in old and stat.timed and old[route].timed > 1]
    count = sum(ours.timed for ours, _ in both)
    if count < LEAST:
        return ""
    took = sum(ours.seconds for ours, _ in both) / count
    usual = sum(ours.timed * theirs.mean for ours, theirs in both) / count
    spread = sum(
        ours.timed * ours.variance + (TIMES * ours.timed) ** 2 * theirs.variance / theirs.timed for ours, theirs in both
    )
    error = math.sqrt(spread) / count
    if took >= TIMES * usual and took - usual >= MORE and took - TIMES * usual >= SURE * error:
        times = f" ({took / usual:.1f} times as long)" if usual else ""
        same = f"the same requests {usual * 1000:.0f} ms at the old pods"
        return f"its {count:.0f} requests took {took * 1000:.0f} ms on average, and {same}{times}"
    return ""


def said(new: Tally, old: Tally) -> str:
    """Return both figures in words: `its 412 requests, 0.0% failed, 4 ms on average, old pods …`."""
    ours, theirs = total(new), total(old)
    figures = []
    for name, stat in ("its", ours), ("old pods", theirs):
        failed = f", {stat.failed / stat.requests:.1%} failed" if stat.requests else ""
        mean = f", {stat.mean * 1000:.0f} ms on average" if stat.timed else ""
        figures.append(f"{name} {stat.requests:.0f} requests{failed}{mean}")
    few = "; too few to compare" if min(ours.requests, theirs.requests) < LEAST else ""
    return ", ".join(figures) + few


def read(text: str, quiet: Iterable[str] = ()) -> dict[str, Stat] | None:
    """Return what the metrics in TEXT, in Prometheus' format, count by route; None where they count no requests.

    Those of the QUIET paths are left out: health checks are no users, and far too fast.
    """
    quiet, counted = set(quiet), dict[str, Stat]()
    found, histogram = False, ""
    buckets: dict[tuple[str, ...], dict[float, float]] = {}
    for line in text.splitlines():
        sample = SAMPLE.match(line)
        if not sample or line.startswith("#"):
            continue
        name, labels = sample[1], dict(LABEL.findall(sample[2] or ""))
        try:
            value = float(sample[3])
        except ValueError:
            continue
        route = next((labels[key] for key in ROUTE if key in labels), "")
        status = next((labels[key] for key in STATUS if key in labels), "")
        if route in quiet:
            continue
        key = f"{labels.get('method', '')} {route}".strip()
        stat = counted.get(key, Stat())
        if status and COUNTER.fullmatch(name):
            found = True
            failed = value if status.startswith("5") else 0
            counted[key] = stat.plus(Stat(requests=value, failed=failed))
        elif (match := SECONDS.fullmatch(name)) and match[1] == (histogram or match[1]):
            histogram = match[1]
            if match[2] == "bucket":
                bounds = buckets.setdefault((key, *sorted(v for k, v in labels.items() if k != "le")), {})
                bounds[float(labels.get("le", "inf"))] = value
            else:
                counted[key] = stat.plus(Stat(seconds=value) if match[2] == "sum" else Stat(timed=value))
    for (key, *_), bounds in buckets.items():
        counted[key] = counted.get(key, Stat()).plus(_spread(bounds))
    return counted if found else None


def _spread(bounds: Mapping[float, float]) -> Stat:
    """Return sum and square sum of the seconds whose cumulated counts, by upper BOUNDS, are given."""
    middle = square = 0.0
    edges = [(0.0, 0.0), *sorted(bounds.items())]
    for (low, below), (high, upto) in pairwise(edges):
        width = high - low if math.isfinite(high) else low  # beyond the last bound: up to twice that
        count, centre = upto - below, low + width / 2
        middle += count * centre
        square += count * (centre**2 + width**2 / 12)  # evenly spread within a bucket
    return Stat(middle=middle, square=square)
