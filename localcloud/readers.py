"""Who reads the images of an environment beside itself: in ECR, whom the repository's policy lets.

In AWS they show the login that their own account gives them. Here each registry knows one login, so for the time being
what stands in front of it takes another environment's for its own, where nothing is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from localcloud import confined, registry, registry_login
from localcloud.aws.policies import Request, trusts
from localcloud.layout import Layout
from longshore import aws
from longshore.files import write_if_changed

READS = ("GET", "HEAD")


def lets(layout: Layout, repository: str, role: str) -> bool:
    """Whether the policy of REPOSITORY (HOST/NAME) lets the ROLE with this ARN read its images."""
    keys = layout.state / "aws" / "credentials"
    client = aws.local("ecr", layout.region, f"http://127.0.0.1:{layout.aws_port}", str(keys))
    with aws.errors("the repository's policy"):
        try:
            policy = client.get_repository_policy(repositoryName=repository.partition("/")[2])["policyText"]
        except client.exceptions.RepositoryPolicyNotFoundException:
            return False
    account = ("AWS", f"{role.rpartition(':')[0]}:root")
    return trusts(policy, [account], Request("ecr:BatchGetImage", context={"aws:principalarn": role}))


@contextlib.contextmanager
def reading(layout: Layout, reader: Layout) -> Iterator[None]:
    """Have the registry of LAYOUT take the login of READER's, to read."""
    file, front = registry.readers(layout) / reader.id, layout.daemon("ecr")
    own, other = (registry_login.token(each) for each in (layout, reader))
    write_if_changed(file, "".join(f'"{method} Basic {other}" "Basic {own}";\n' for method in READS), mode=0o600)
    confined.folder(layout, "registry", file.parent)
    confined.own(layout, "registry", file)
    front.reload()
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        front.reload()
