"""Each job of the pipeline as its role, and a person at a laptop, against a local AWS that enforces IAM."""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from longshore.pipeline.jobs import jobs
from longshore.pipeline.model import Role
from longshore.settings import load
from tests.integration.aws_process import ACCOUNT, REGION, ROOT, AwsProcess, free_port
from tests.unit.localcloud.aws.tokens import Issuer

NAME, PERSON, URL = "production", "platform-admin", "https://gitlab.com"
GITLAB = Issuer(URL)
SETTINGS = load.load(ROOT, {})
JOBS = {job.name: job for job in jobs(SETTINGS) if job.role is not Role.NONE}
CALL = re.compile(r" iam arn:aws:sts::\d+:assumed-role/([\w-]+)/\S+ (\S+) (\S+)$", re.MULTILINE)
DAY = datetime.timedelta(days=1)
REFUSED = re.compile(r" iam refused (.*)$", re.MULTILINE)
# Docker, as far as AWS sees it: the login is ours, and what it pushes it pushes by the registry's own protocol.
DOCKER = """#!/bin/sh
for word; do case "$word" in --metadata-file=*) file="${word#*=}";; esac; done
[ -z "$file" ] || printf '{"containerimage.digest": "sha256:%064d"}' 1 > "$file"
"""


@dataclass
class Ended:
    """How a command ended, what IAM was asked on the way (role, action, resource), and what it refused."""

    code: int
    text: str
    calls: list[tuple[str, str, str]]
    refused: list[str]


@dataclass
class Replay:
    """A project in production on AWS, with a remote, and clones for its jobs."""

    folder: Path
    aws: AwsProcess
    read: int = 0
    ended: dict[str, Ended] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.origin, self.seed = self.folder / "origin.git", self.folder / "seed"
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        (self.bin / "docker").write_text(DOCKER)
        (self.bin / "docker").chmod(0o755)
        # An address where nothing listens.
        cluster = {"endpoint": f"https://127.0.0.1:{free_port()}", "ca": certificate(), "issuer": "https://issuer"}
        self.aws.cluster_file.write_text(json.dumps(cluster))
        (self.aws.folder / "issuers.json").write_text(json.dumps({URL: GITLAB.jwks}))
        self._run("git", "clone", "--quiet", str(ROOT), str(self.seed))
        self._run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        self._run("git", "checkout", "--quiet", "-B", "main", cwd=self.seed)
        there = 'account = "222222222222"\nregion = "{}"'
        here = there.format(REGION).replace("222222222222", ACCOUNT)
        here += f'\nresolvers = ["127.0.0.1:{self.aws.dns_port}"]'
        self.edit("longshore.toml", there.format("eu-central-1"), here)
        self.edit(
            "longshore.toml",
            "# [environments.local.secrets]",
            '[environments.production.secrets]\nA = "shop/production"\n#',
        )
        self.edit(f"terraform/environments/{NAME}.tfvars", "222222222222", ACCOUNT)
        self.push("main")

    def delegate(self) -> None:
        """Have the domain above enter the records that the apply of the zone printed; a person then does the rest."""
        zone = self.ended["infra.apply"]
        assert zone.code == 3, zone.text
        records = re.findall(r"^ *(\S+\. \d+ IN NS \S+\.)$", zone.text, re.MULTILINE)
        (self.aws.folder / "parent.zone").write_text("\n".join(records))
        self.person("infra.plan", "-e", NAME)
        self.person("infra.apply", "-e", NAME)
        self.ended["infra.apply"].calls += zone.calls

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.seed / name).read_text()
        assert old in text, f"{name} has no {old}"
        (self.seed / name).write_text(text.replace(old, new))

    def push(self, *branches: str) -> None:
        """Commit what was edited and push it to BRANCHES."""
        author = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
        self._run("git", *author, "commit", "--quiet", "--all", "--message=work", cwd=self.seed)
        refs = [f"HEAD:refs/heads/{branch}" for branch in branches]
        self._run("git", "push", "--quiet", "--force", str(self.origin), *refs, cwd=self.seed)

    def clone(self, name: str, branch: str = "main") -> Path:
        folder = self.folder / name
        self._run("git", "clone", "--quiet", f"--branch={branch}", str(self.origin), str(folder))
        return folder

    def person(self, *words: str) -> Ended:
        """Run `invoke WORDS` as a person who administers the account, in a clone that stays."""
        folder = self.folder / "laptop"
        if not folder.exists():
            self.clone("laptop")
        self._run("git", "pull", "--quiet", cwd=folder)
        arn = f"arn:aws:iam::{ACCOUNT}:role/{PERSON}"
        key = self.aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="ann")["Credentials"]
        names = {
            "AccessKeyId": "ACCESS_KEY_ID",
            "SecretAccessKey": "SECRET_ACCESS_KEY",  # pragma: allowlist secret
            "SessionToken": "SESSION_TOKEN",
        }
        ended = self.invoke(folder, {f"AWS_{names[name]}": key[name] for name in names}, words)
        self.ended[words[0]] = ended
        return ended

    def job(self, name: str, *, branch: str = "main", receives: tuple[str, ...] = ()) -> Ended:
        """Run the script of the pipeline's job NAME in a fresh clone of BRANCH, with the artifacts of RECEIVES."""
        job, folder = JOBS[name], self.clone(f"job-{name}", branch)
        for other in receives:
            for artifact in JOBS[other].kept.artifacts if JOBS[other].kept else ():
                for path in (path for path in artifact.paths if (self.folder / f"job-{other}" / path).exists()):
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(self.folder / f"job-{other}" / path, folder / path)
        env = self.environ(job.role, branch)
        for line in job.script:
            words = line.removeprefix("invoke ").split()
            if words[0] == "ci.note":  # which talks to GitLab alone
                continue
            self.ended[name] = self.invoke(folder, env, tuple(words))
        return self.ended[name]

    def promotion(self, command: str, role: Role) -> Ended:
        """Run COMMAND as ROLE, as a job does that follows a release to staging, which handed on what it verified."""
        folder = self.clone(f"job-{command}")
        head = (folder / ".git" / "refs" / "heads" / "main").read_text()
        verified = {
            "environment": "staging",
            "number": 1,
            "repository": "111111111111.dkr.ecr.eu-central-1.amazonaws.com/shop/app",
            "digest": f"sha256:{'1' * 64}",
            "revision": head[:12],
            "tag": "1" * 16,
            "platform": "linux/amd64",
        }
        handed_on = folder / ".longshore" / "environments" / "staging" / "verified.json"
        handed_on.parent.mkdir(parents=True)
        handed_on.write_text(json.dumps(verified))
        words = (command, "--from", "staging", "-e", NAME, "--from-job")
        self.ended[command] = self.invoke(folder, self.environ(role, "main"), words)
        return self.ended[command]

    def environ(self, role: Role, branch: str) -> dict[str, str]:
        """Return the variables by which a job of BRANCH takes on ROLE."""
        return {"CI": "true", "GITLAB_CI": "true", "AWS_ROLE_ARN": self.role(role), "AWS_ID_TOKEN": token(branch)}

    def invoke(self, folder: Path, env: dict[str, str], words: tuple[str, ...]) -> Ended:
        inherited = {name: os.environ[name] for name in ("LANG", "TMPDIR", "UV_CACHE_DIR") if name in os.environ}
        whole = inherited | {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_ENDPOINT_URL_STS": self.aws.url,  # all that Terraform looks for when it exchanges a token
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=folder,
            env=whole | env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return Ended(done.returncode, done.stdout[-20000:] + done.stderr[-2000:], *self.new_calls())

    def new_calls(self) -> tuple[list[tuple[str, str, str]], list[str]]:
        log = (self.aws.folder / "requests.log").read_text()
        new, self.read = log[self.read :], len(log)
        return CALL.findall(new), REFUSED.findall(new)

    def role(self, role: Role) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/shop-{NAME}-ci-{role}"

    def session(self, role: Role, branch: str = "main") -> boto3.Session:
        """Return a session of ROLE, as a job on BRANCH gets one."""
        key = self.aws.client("sts").assume_role_with_web_identity(
            RoleArn=self.role(role), RoleSessionName="probe", WebIdentityToken=token(branch)
        )["Credentials"]
        return boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"], region_name=REGION)

    def documents(self, role: Role) -> list[dict[str, Any]]:
        """Return the statements that allow ROLE anything, as Terraform made them."""
        iam, name = self.aws.client("iam"), self.role(role).rpartition("/")[2]
        found = []
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)["PolicyVersion"][
                "Document"
            ]
            found.append(json.loads(unquote(document)) if isinstance(document, str) else document)
        assert not iam.list_role_policies(RoleName=name)["PolicyNames"]
        return found

    def _run(self, *argv: str, cwd: Path | None = None) -> None:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr


def certificate() -> str:
    """Return a CA's certificate, base64 of PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + DAY).sign(
        key, hashes.SHA256()
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def token(branch: str) -> str:
    """Return a job's identity token, as GitLab writes and signs it."""
    return GITLAB.token(aud=URL, sub=f"project_path:example/shop:ref_type:branch:ref:{branch}")
