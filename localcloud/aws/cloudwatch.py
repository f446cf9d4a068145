"""CloudWatch: alarms are evaluated, keep their state on an update, and run their actions. Moto only stores them."""

from __future__ import annotations

import json
import logging
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, cloudwatch_backends
from moto.sns.models import sns_backends

from localcloud.aws import load_balancer, metrics
from localcloud.aws.alarms import EXTRA, INSUFFICIENT_DATA, Rule, computed
from localcloud.aws.options import ACCOUNT
from localcloud.aws.patching import wrap

LOG = logging.getLogger("localcloud.aws")
STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")
ACTIONS = {"OK": "ok_actions", "ALARM": "alarm_actions", INSUFFICIENT_DATA: "insufficient_data_actions"}


@wrap(CloudWatchBackend, "put_metric_alarm")
def put_metric_alarm(original: Any, self: Any, **asked: Any) -> Any:
    """Keep the state of an existing alarm; a new one has no data yet."""
    before = self.alarms.get(asked["name"])
    alarm = original(self, **asked)
    alarm.state_value = INSUFFICIENT_DATA
    vars(alarm).update({name: getattr(before, name) for name in STATE if before})
    return alarm


@wrap(CloudWatchBackend, "set_alarm_state")
def set_alarm_state(original: Any, self: Any, alarm_name: str, *state: Any) -> None:
    """Publish the change to the topics that are the alarm's actions for its new state."""
    before = getattr(self.alarms.get(alarm_name), "state_value", None)
    original(self, alarm_name, *state)
    alarm = self.alarms[alarm_name]
    del alarm.history[:-100]
    if before == alarm.state_value or not alarm.actions_enabled:
        return
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AlarmArn": alarm.alarm_arn,
        "Region": self.region_name,
        "AWSAccountId": ACCOUNT,
        "OldStateValue": before,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": f"{alarm.state_updated_timestamp.isoformat(timespec='milliseconds')}+0000",
    }
    for topic in getattr(alarm, ACTIONS[alarm.state_value]):
        try:
            subject = f'{alarm.state_value}: "{alarm.name}"'[:99]
            sns_backends[ACCOUNT][self.region_name].publish(json.dumps(message), arn=topic, subject=subject)
        except Exception as problem:  # noqa: BLE001 (CloudWatch does not report failed actions, either)
            LOG.warning("cannot send alarm %s to %s: %s", alarm.name, topic, problem)


def evaluate(backend: Any, alarm: Any, now: metrics.Time, since: metrics.Time) -> bool:
    """Update the state of ALARM and return whether it changed. The load balancer has been measured only SINCE then."""
    measured = {query.id: query.metric_stat for query in alarm.metric_data_queries if query.metric_stat}
    period, n = int(next(iter(measured.values()), alarm).period), int(alarm.evaluation_periods)
    m, missing = int(alarm.datapoints_to_alarm or n), alarm.treat_missing_data or "missing"
    rule = Rule(alarm.comparison_operator, float(alarm.threshold), n, m, missing)
    starts = metrics.periods(now, period, n + EXTRA)
    datapoints = _datapoints(backend.region_name, alarm, measured, starts, period)
    watched = [alarm, *(stat.metric for stat in measured.values())]
    ours = [each for each in watched if each.namespace == metrics.NAMESPACE]
    if any(load_balancer.unknown(backend.region_name, each.dimensions, starts[EXTRA]) for each in ours):
        return False
    unmeasured = bool(ours) and starts[EXTRA] < since
    before, state = alarm.state_value, rule.state(datapoints, alarm.state_value)
    if state == before or (unmeasured and len(starts) - datapoints.count(None) < n):
        return False
    data = {"recentDatapoints": datapoints, "period": period, "threshold": rule.threshold}
    backend.set_alarm_state(alarm.name, rule.reason(datapoints), json.dumps(data), state)
    return True


def _datapoints(region: str, alarm: Any, measured: dict[str, Any], starts: list[Any], period: int) -> metrics.Series:
    """Return the alarm's value in each period: its metric, or metric math over the metrics MEASURED, by id."""
    if not measured:
        return metrics.series(region, alarm, alarm.extended_statistic or alarm.statistic, starts, period)
    (result,) = (query for query in alarm.metric_data_queries if query.return_data is not False)
    columns = (metrics.series(region, stat.metric, stat.stat, starts, period) for stat in measured.values())
    rows = (dict(zip(measured, row, strict=True)) for row in zip(*columns, strict=True))
    return [computed(result.expression or result.id, row) for row in rows]


def states() -> dict[str, str]:
    """Return the state of each alarm by name. Needs no lock: it iterates over copies."""
    backends = list(dict.values(cloudwatch_backends[ACCOUNT]))
    return {alarm.name: alarm.state_value for backend in backends for alarm in list(backend.alarms.values())}
