"""What a web ACL of AWS WAF refuses, and nginx's configuration that refuses the same.

Sources: "Baseline rule groups", "Rate-based rule statement" and "Oversize web request components" in AWS WAF's
developer guide. Of a managed rule that looks for patterns only those are known that the guide gives as examples.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

# Rule group and rule -> what nginx looks at, and the value or expression that matches. Sizes are in bytes.
CORE, BAD_INPUTS = "AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"
PATTERNS = {
    (CORE, "NoUserAgent_HEADER"): ("$http_user_agent", ""),
    (CORE, "UserAgent_BadBots_HEADER"): ("$http_user_agent", "~*nessus|nmap"),
    (CORE, "SizeRestrictions_QUERYSTRING"): ("$args", "~^.{2049}"),
    (CORE, "SizeRestrictions_Cookie_HEADER"): ("$http_cookie", "~^.{10241}"),
    (CORE, "SizeRestrictions_URIPATH"): ("$request_uri", "~^[^?]{1025}"),
    (CORE, "EC2MetaDataSSRF_QUERYARGUMENTS"): ("$args", "~169[.]254[.]169[.]254"),
    (CORE, "GenericLFI_QUERYARGUMENTS"): ("$args", "~[.][.]/"),
    (CORE, "GenericLFI_URIPATH"): ("$request_uri", "~^[^?]*[.][.]/"),
    (CORE, "RestrictedExtensions_URIPATH"): ("$request_uri", "~*^[^?]*[.](log|ini)([?]|$)"),
    (CORE, "RestrictedExtensions_QUERYARGUMENTS"): ("$args", "~*[.](log|ini)(&|$)"),
    (CORE, "CrossSiteScripting_QUERYARGUMENTS"): ("$args", "~*(<|%3c)script"),
    (BAD_INPUTS, "PROPFIND_METHOD"): ("$request_method", "PROPFIND"),
    (BAD_INPUTS, "Log4JRCE_QUERYSTRING"): ("$args", "~*([$]|%24)(\\{|%7b)jndi:"),
}
BODY = (CORE, "SizeRestrictions_BODY")
LARGEST_BODY = 8192  # bytes; with an Application Load Balancer, WAF sees no more than these
# The page of a load balancer's own 403. nginx's has a line more, with its name.
PAGE = (
    r"<html>\r\n<head><title>403 Forbidden</title></head>\r\n"
    r"<body>\r\n<center><h1>403 Forbidden</h1></center>\r\n</body>\r\n</html>\r\n"
)


class Rate(Struct, frozen=True):
    """At most `limit` requests from an address within `window` seconds; those from the networks `free` do not count."""

    limit: int
    window: int
    free: tuple[str, ...] = ()


class WebAcl(Struct, frozen=True):
    """What is blocked: everything, if `closed`; what these managed `rules` match; what exceeds one of the `rates`."""

    rules: tuple[tuple[str, str], ...] = ()  # of PATTERNS, or BODY
    rates: tuple[Rate, ...] = ()
    closed: bool = False


def of(client: Any, resource: str) -> WebAcl | None:
    """Return the web ACL that CLIENT, one of WAF, associates with RESOURCE (an ARN); None where there is none."""

    def addresses(arn: str) -> list[str]:
        name, identifier = arn.split("/")[-2:]
        found: list[str] = client.get_ip_set(Name=name, Scope="REGIONAL", Id=identifier)["IPSet"]["Addresses"]
        return found

    description = client.get_web_acl_for_resource(ResourceArn=resource).get("WebACL")
    return read(description, addresses) if description else None


def read(description: Mapping[str, Any], addresses: Callable[[str], Iterable[str]]) -> WebAcl:
    """Return the web ACL with AWS's DESCRIPTION; ADDRESSES are those of an IP set by its ARN.

    A rule that only counts blocks nothing, and neither do kinds of rules that are not known here.
    """
    rules: list[tuple[str, str]] = []
    rates: list[Rate] = []
    for rule in description.get("Rules", ()):
        statement = rule["Statement"]
        if (group := statement.get("ManagedRuleGroupStatement")) and "Count" not in (rule.get("OverrideAction") or {}):
            overrides = group.get("RuleActionOverrides") or ()
            open_ = {override["Name"] for override in overrides if "Block" not in override["ActionToUse"]}
            open_ |= {excluded["Name"] for excluded in group.get("ExcludedRules") or ()}
            known = (*PATTERNS, BODY)
            rules += [each for each in known if each[0] == group["Name"] and each[1] not in open_]
        if (rate := statement.get("RateBasedStatement")) and "Block" in (rule.get("Action") or {}):
            free = _free(rate.get("ScopeDownStatement") or {}, addresses)
            if free is not None and rate.get("AggregateKeyType") == "IP":
                rates.append(Rate(int(rate["Limit"]), int(rate.get("EvaluationWindowSec") or 300), free))
    return WebAcl(tuple(rules), tuple(rates), "Block" in description["DefaultAction"])


def _free(scope: Mapping[str, Any], addresses: Callable[[str], Iterable[str]]) -> tuple[str, ...] | None:
    """Return the networks that the SCOPE of a rate leaves out, None for another kind of scope."""
    if not scope:
        return ()
    inner = (scope.get("NotStatement") or {}).get("Statement") or {}
    reference = inner.get("IPSetReferenceStatement")
    if not reference:
        return None
    return tuple(sorted(str(ipaddress.ip_network(each, strict=False)) for each in addresses(reference["ARN"])))


def shared(name: str, acl: WebAcl) -> str:
    """Return what nginx needs outside its servers: the variable $NAME is set for a request that ACL blocks."""
    lines = []
    found = [PATTERNS[rule] for rule in acl.rules if rule in PATTERNS]
    for number, (variable, value) in enumerate(found):
        lines.append(f'map {variable} ${name}_{number} {{ default ""; "{value}" 1; }}')
    matched = "".join(f"${name}_{number}" for number in range(len(found)))
    lines.append(f'map "{"1" if acl.closed else ""}{matched}" ${name} {{ default 1; "" ""; }}')
    for number, rate in enumerate(acl.rates):
        free = " ".join(f"{network} 1;" for network in rate.free)
        lines.append(f"geo ${name}_free{number} {{ default 0; {free} }}")
        lines.append(f'map ${name}_free{number} ${name}_key{number} {{ default ""; 0 $binary_remote_addr; }}')
        # A bucket that holds `limit` requests and empties in `window` seconds. Under a steady load it is full a little
        # later than WAF's count. It then lets `limit` in `window` pass, where WAF blocks all until the rate is lower.
        drain = max(1, rate.limit * 60 // rate.window)
        lines.append(f"limit_req_zone ${name}_key{number} zone={name}_{number}:1m rate={drain}r/m;")
    return "".join(f"  {line}\n" for line in lines)


def within(name: str, acl: WebAcl) -> str:
    """Return what nginx needs in a server that ACL, declared by `shared` under NAME, protects."""
    return "".join(f"    {line}\n" for line in _within(name, acl))


def _within(name: str, acl: WebAcl) -> Iterator[str]:
    yield f"if (${name}) {{ return 403; }}"
    for number, rate in enumerate(acl.rates):
        yield f"limit_req zone={name}_{number} burst={rate.limit} nodelay; limit_req_status 403;"
    if BODY in acl.rules:
        yield f"client_max_body_size {LARGEST_BODY};"
    # The target's own 403 is passed on as it is: only nginx's become this page.
    yield "error_page 403 413 =403 @web_acl;"
    yield f'location @web_acl {{ default_type text/html; return 403 "{PAGE}"; }}'
