"""Budgets: tags, updates and a notification's subscribers."""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.models import budgets_backends
from moto.budgets.responses import BudgetsResponse

from localcloud.aws.options import ACCOUNT, PARTITION
from localcloud.aws.patching import Refused, add, wrap

IDENTITY = ("NotificationType", "ComparisonOperator", "Threshold")


def _budget(name: str) -> Any:
    budgets = budgets_backends[ACCOUNT][PARTITION].budgets[ACCOUNT]
    if name not in budgets:
        raise Refused(400, "NotFoundException", f"Unable to get budget: {name} - the budget doesn't exist.")
    return budgets[name]


def _tagged(self: Any) -> dict[str, str]:
    """Return the tags, kept on the budget itself, of the budget whose ARN the call names."""
    budget = _budget(self._get_param("ResourceARN").split(":budget/")[-1])
    if not hasattr(budget, "longshore_tags"):
        budget.longshore_tags = {}
    tags: dict[str, str] = budget.longshore_tags
    return tags


@wrap(BudgetsResponse, "create_budget")
def create_budget(original: Any, self: Any) -> Any:
    """Keep the tags that are given at creation."""
    made = original(self)
    tags = {tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags") or []}
    _budget(self._get_param("Budget")["BudgetName"]).longshore_tags = tags
    return made


@add(BudgetsResponse, "update_budget")
def update_budget(self: Any) -> str:
    wanted = self._get_param("NewBudget")
    _budget(wanted["BudgetName"]).budget.update(wanted)
    return "{}"


@add(BudgetsResponse, "describe_subscribers_for_notification")
def describe_subscribers(self: Any) -> str:
    wanted = self._get_param("Notification")
    for notification in _budget(self._get_param("BudgetName")).notifications:
        if all(notification.details.get(key) == wanted.get(key) for key in IDENTITY):
            return json.dumps({"Subscribers": notification.subscribers})
    raise Refused(400, "NotFoundException", "Unable to get subscribers: the notification doesn't exist.")


@add(BudgetsResponse, "list_tags_for_resource")
def list_tags(self: Any) -> str:
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in _tagged(self).items()]})


@add(BudgetsResponse, "tag_resource")
def tag(self: Any) -> str:
    _tagged(self).update({tag["Key"]: tag["Value"] for tag in self._get_param("ResourceTags") or []})
    return "{}"


@add(BudgetsResponse, "untag_resource")
def untag(self: Any) -> str:
    for key in self._get_param("ResourceTagKeys") or []:
        _tagged(self).pop(key, None)
    return "{}"
