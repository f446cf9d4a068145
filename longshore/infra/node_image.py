"""Whether AWS recommends another image for nodes than they run: nothing patches them by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore import aws
from longshore.errors import Failure
from longshore.settings.model import Environment

# https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html
PARAMETER = "/aws/service/eks/optimized-ami/{}/amazon-linux-2023/{}/standard/recommended/release_version"


def newer(environment: Environment, plan: Mapping[str, Any]) -> str:
    """Return a sentence where the nodes in PLAN's state run another image than AWS recommends, else "".

    It is asked here and not in Terraform: a data source in a `check` is read again during apply, which makes no plan
    empty, and who may not read it would have no plan.
    """
    for entry in plan.get("resource_changes", ()):
        group = entry["change"].get("before") or {}
        if entry["type"] != "aws_eks_node_group" or not group.get("release_version"):
            continue
        path = PARAMETER.format(group["version"], "arm64" if "_ARM_" in group["ami_type"] else "x86_64")
        try:
            with aws.errors("the node image that AWS recommends"):
                best = aws.client(environment, "ssm").get_parameter(Name=path)["Parameter"]["Value"]
        except Failure as problem:
            return f"whether the nodes' image is the newest could not be read: {problem}"
        if best != group["release_version"]:
            return (
                f"the nodes run the image {group['release_version']}, AWS recommends {best}: with "
                f'node_image_release = "{best}" they are replaced one by one'
            )
    return ""
