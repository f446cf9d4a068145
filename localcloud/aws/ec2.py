"""EC2: tags of launch templates, security group rules, and network interfaces that moto never deletes."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.security_groups import SecurityGroupRule

from localcloud.aws.patching import Refused, wrap


@wrap(
    LaunchTemplate,
    "create_version",
    "create_launch_template",
    "create_launch_template_version",
    "describe_launch_templates",
    "describe_launch_template_versions",
)
def create_version(original: Any, self: Any, data: dict[str, Any], description: str) -> Any:
    """Keep the template's own tags out of the version's data, into which moto copies them."""
    tags = [tag for tag in data.pop("TagSpecifications", []) if tag.get("ResourceType") != "launch-template"]
    return original(self, {**data, **({"TagSpecifications": tags} if tags else {})}, description)


# Moto never updates a template's tags after its creation, and never returns a rule's description.
setattr(LaunchTemplate, "tags", property(lambda self: self.get_tags(), lambda _self, _value: None))  # noqa: B010
setattr(  # noqa: B010
    SecurityGroupRule,
    "description",
    property(lambda self: self.ip_range.get("Description") or self.source_group.get("Description")),
)


@wrap(EC2Backend, "modify_security_group_rules", "modify_security_group_rules", "describe_security_group_rules")
def modify_security_group_rules(original: Any, self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
    """Allow a rule for all protocols, which has no ports, and keep its description."""
    group = self.get_security_group_by_name_or_id(group_id)
    for identifier, wanted in rules.items():
        all_protocols = wanted.get("IpProtocol") == "-1"
        original(self, group_id, {identifier: {**wanted, **({"FromPort": 0, "ToPort": 0} if all_protocols else {})}})
        rule = group.get_rule(identifier)
        if all_protocols:
            rule.from_port = rule.to_port = None
        if wanted.get("Description"):
            (rule.source_group or rule.ip_range)["Description"] = wanted["Description"]


@wrap(Instance, "terminate", "terminate_instances")
def terminate(original: Any, self: Any) -> Any:
    """Delete the instance's network interfaces with it, as EC2 does with those it created."""
    state = original(self)
    for interface in self.nics.values():
        self.ec2_backend.enis.pop(interface.id, None)
    return state


@wrap(EC2Backend, "delete_nat_gateway")
def delete_nat_gateway(original: Any, self: Any, nat_gateway_id: str) -> Any:
    """Delete the gateway's network interface with it. Moto crashes on an unknown gateway."""
    if nat_gateway_id not in self.nat_gateways:
        raise Refused(400, "NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
    gateway = original(self, nat_gateway_id)
    self.enis.pop(gateway._eni.id, None)  # noqa: SLF001 (moto has no public name for it)
    return gateway
