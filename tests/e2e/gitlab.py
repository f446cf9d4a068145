"""GitLab as the local AWS sees it: an issuer of tokens for jobs, whose keys the environment was told."""

from __future__ import annotations

import json

from tests.e2e.project import Project
from tests.unit.localcloud.aws.tokens import Issuer

URL, PROJECT = "https://gitlab.com", "example/shop"  # as in terraform/environments/local.tfvars


class GitLab:
    """Makes the tokens of PROJECT's jobs."""

    def __init__(self, project: Project) -> None:
        self.issuer = Issuer(URL)
        file = project.state() / "aws" / "issuers.json"
        file.write_text(json.dumps({URL: self.issuer.jwks}))

    def token(self, branch: str = "main") -> str:
        """Return the token of a job on BRANCH."""
        return self.issuer.token(aud=URL, sub=f"project_path:{PROJECT}:ref_type:branch:ref:{branch}")
