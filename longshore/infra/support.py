"""How long EKS supports a version of Kubernetes, from a dated table."""

from __future__ import annotations

import datetime as dt

# https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html (1.29 to 1.34), AWS's notices and
# https://endoflife.date/amazon-eks (1.35), read on 2026-11-29: end of standard support, end of extended support.
# EKS offers 1.36 and 1.37; their dates were not to be found. `aws eks describe-cluster-versions` has today's.
AS_OF = dt.date(2026, 11, 29)
SUPPORT: dict[str, tuple[dt.date, dt.date] | None] = {
    "1.31": (dt.date(2025, 11, 26), dt.date(2026, 11, 26)),
    "1.32": (dt.date(2026, 3, 23), dt.date(2027, 3, 23)),
    "1.33": (dt.date(2026, 7, 29), dt.date(2027, 7, 29)),
    "1.34": (dt.date(2026, 12, 2), dt.date(2027, 12, 2)),
    "1.35": (dt.date(2027, 3, 27), dt.date(2028, 3, 27)),
    "1.36": None,
    "1.37": None,
}
NOTICE = 90  # days


def ending(version: str, today: dt.date) -> str:
    """Return a sentence where standard support of Kubernetes VERSION ends within NOTICE days or has ended, else ""."""
    if version not in SUPPORT:
        return (
            f"the table of {AS_OF} does not know Kubernetes {version} on EKS; see `aws eks describe-cluster-versions`"
        )
    dates = SUPPORT[version]
    if dates is None or (left := (dates[0] - today).days) > NOTICE:
        return ""
    when = f"ends on {dates[0]}, in {left} days" if left >= 0 else f"ended on {dates[0]}"
    return f"EKS's standard support of Kubernetes {version} {when}; AWS then upgrades the control plane by itself"
