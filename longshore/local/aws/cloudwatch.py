"""CloudWatch: an alarm is evaluated, keeps its state when it is put again, and acts when its state changes. Moto does none of it."""

from __future__ import annotations

import json
import logging
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.sns.models import sns_backends

from longshore.local.aws import metrics
from longshore.local.aws.alarms import EXTRA, INSUFFICIENT_DATA, Rule, computed
from longshore.local.aws.mending import wrap
from longshore.local.aws.options import ACCOUNT

LOG = logging.getLogger("longshore.local.aws")
STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")
ACTIONS = {"OK": "ok_actions", "ALARM": "alarm_actions", INSUFFICIENT_DATA: "insufficient_data_actions"}


@wrap(CloudWatchBackend, "put_metric_alarm")
def put_metric_alarm(original: Any, self: Any, **asked: Any) -> Any:
    """Leave the state of an alarm that exists as it is; a new one has no data yet."""
    before = self.alarms.get(asked["name"])
    alarm = original(self, **asked)
    alarm.state_value = INSUFFICIENT_DATA
    vars(alarm).update({name: getattr(before, name) for name in STATE if before})
    return alarm


@wrap(CloudWatchBackend, "set_alarm_state")
def set_alarm_state(original: Any, self: Any, alarm_name: str, *state: Any) -> None:
    """Tell the topics that are the alarm's actions for its new state."""
    before = getattr(self.alarms.get(alarm_name), "state_value", None)
    original(self, alarm_name, *state)
    alarm = self.alarms[alarm_name]
    del alarm.history[:-100]
    if before == alarm.state_value or not alarm.actions_enabled:
        return
    said = {
        "AlarmName": alarm.name, "AlarmDescription": alarm.description, "AlarmArn": alarm.alarm_arn, "Region": self.region_name,
        "AWSAccountId": ACCOUNT, "OldStateValue": before, "NewStateValue": alarm.state_value, "NewStateReason": alarm.state_reason,
        "StateChangeTime": f"{alarm.state_updated_timestamp.isoformat(timespec='milliseconds')}+0000",
    }  # fmt: skip
    for topic in getattr(alarm, ACTIONS[alarm.state_value]):
        try:
            subject = f'{alarm.state_value}: "{alarm.name}"'[:99]
            sns_backends[ACCOUNT][self.region_name].publish(json.dumps(said), arn=topic, subject=subject)
        except Exception as problem:  # noqa: BLE001 (CloudWatch does not say either that an action failed)
            LOG.warning("alarm %s does not reach %s: %s", alarm.name, topic, problem)


def evaluate(backend: Any, alarm: Any, now: metrics.Time, since: metrics.Time) -> bool:
    """Bring ALARM up to date and return whether its state changed. What the load balancer did before SINCE nobody counted."""
    measured = {one.id: one.metric_stat for one in alarm.metric_data_queries if one.metric_stat}
    period, n = int(next(iter(measured.values()), alarm).period), int(alarm.evaluation_periods)
    rule = Rule(
        comparison=alarm.comparison_operator, threshold=float(alarm.threshold), n=n, m=int(alarm.datapoints_to_alarm or n),
        missing=alarm.treat_missing_data or "missing",
    )  # fmt: skip
    starts = metrics.periods(now, period, n + EXTRA)
    datapoints = _datapoints(backend.region_name, alarm, measured, starts, period)
    namespaces = [alarm.namespace, *(one.metric.namespace for one in measured.values())]
    unknown = metrics.NAMESPACE in namespaces and starts[EXTRA] < since
    before, state = alarm.state_value, rule.state(datapoints, alarm.state_value)
    if state == before or (unknown and len(starts) - datapoints.count(None) < n):
        return False
    data = {"recentDatapoints": datapoints, "period": period, "threshold": rule.threshold}
    backend.set_alarm_state(alarm.name, rule.reason(datapoints), json.dumps(data), state)
    return True


def _datapoints(
    region: str, alarm: Any, measured: dict[str, Any], starts: list[Any], period: int
) -> list[float | None]:
    """Return what the alarm compares, for each period: a metric, or what metric math makes of those MEASURED by their ids."""
    if not measured:
        return metrics.series(region, alarm, alarm.extended_statistic or alarm.statistic, starts, period)
    (wanted,) = (one for one in alarm.metric_data_queries if one.return_data is not False)
    found = (metrics.series(region, one.metric, one.stat, starts, period) for one in measured.values())
    rows = (dict(zip(measured, row, strict=True)) for row in zip(*found, strict=True))
    return [computed(wanted.expression or wanted.id, row) for row in rows]


def states() -> dict[str, str]:
    """Return the state of each alarm by its name. Needs no lock: what is gone through is a copy."""
    backends = list(dict.values(cloudwatch_backends[ACCOUNT]))
    return {alarm.name: alarm.state_value for backend in backends for alarm in list(backend.alarms.values())}
