"""What of a web ACL's description blocks requests."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud import edge, web_acl
from localcloud.edge import Listener
from localcloud.layout import Layout
from localcloud.web_acl import BAD_INPUTS, BODY, CORE, PATTERNS, Rate, WebAcl

ALLOW: dict[str, Any] = {"DefaultAction": {"Allow": {}}}
ALL = tuple(rule for rule in (*PATTERNS, BODY) if rule[0] == CORE)


def read(*rules: dict[str, Any], **other: Any) -> WebAcl:
    return web_acl.read({**ALLOW, "Rules": rules, **other}, lambda arn: ["198.51.100.7/24", "192.0.2.1/32"])


def group(name: str = CORE, override: str = "None", **other: Any) -> dict[str, Any]:
    statement = {"ManagedRuleGroupStatement": {"Name": name, "VendorName": "AWS", **other}}
    return {"OverrideAction": {override: {}}, "Statement": statement}


def rate(action: str = "Block", **other: Any) -> dict[str, Any]:
    return {
        "Action": {action: {}},
        "Statement": {"RateBasedStatement": {"Limit": 2000, "AggregateKeyType": "IP", **other}},
    }


EXEMPT = {"NotStatement": {"Statement": {"IPSetReferenceStatement": {"ARN": "arn:aws:wafv2:::ipset/a/1"}}}}


def test_a_managed_group_blocks_what_its_rules_match() -> None:
    assert read(group()) == WebAcl(rules=ALL)
    assert {name for name, _ in read(group(BAD_INPUTS)).rules} == {BAD_INPUTS}
    assert read(group("AWSManagedRulesAmazonIpReputationList")) == WebAcl()


def test_what_only_counts_blocks_nothing() -> None:
    assert read(group(override="Count")) == WebAcl()
    counted = [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]
    blocked = [{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Block": {}}}]
    assert BODY not in read(group(RuleActionOverrides=counted)).rules
    assert BODY in read(group(RuleActionOverrides=blocked)).rules
    assert BODY not in read(group(ExcludedRules=[{"Name": "SizeRestrictions_BODY"}])).rules
    assert read(rate("Count")) == WebAcl()


def test_a_rate_is_one_of_an_address_unless_that_is_exempt() -> None:
    assert read(rate()).rates == (Rate(2000, 300),)
    assert read(rate(EvaluationWindowSec=60)).rates == (Rate(2000, 60),)
    assert read(rate(ScopeDownStatement=EXEMPT)).rates == (Rate(2000, 300, ("192.0.2.1/32", "198.51.100.0/24")),)


@pytest.mark.parametrize(
    "other", [{"AggregateKeyType": "FORWARDED_IP"}, {"ScopeDownStatement": {"GeoMatchStatement": {}}}]
)
def test_a_rate_that_nginx_cannot_keep_is_not_kept(other: dict[str, Any]) -> None:
    assert read(rate(**other)).rates == ()


def test_an_acl_that_allows_nothing_by_default_is_closed() -> None:
    assert read(DefaultAction={"Block": {}}) == WebAcl(closed=True)


def test_listeners_of_one_load_balancer_share_what_its_acl_needs(layout: Layout) -> None:
    acl = read(group(), rate())
    forward = Listener(port=8443, protocol="HTTP", target=1, acl=acl)
    redirect = Listener(port=8080, protocol="HTTP", redirect="https:8443:301", acl=acl)
    text = edge.configuration(layout, [redirect, forward])
    assert text.count("limit_req_zone") == 1
    assert text.count("location @web_acl") == 2
    assert text.count("{") == text.count("}"), "the expressions' own are in pairs as well"
    assert "web_acl" not in edge.configuration(layout, [Listener(port=8443, protocol="HTTP", target=1)])
