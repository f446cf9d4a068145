"""The project's image, on a registry that refuses as ECR does: asked for first, and built the same by everybody."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from localcloud import registry, registry_login
from localcloud.environment import LocalCloud
from localcloud.layout import Layout
from longshore.errors import CommandFailed, Precondition
from longshore.image.build import Builder, BuiltImage, Image, Place
from longshore.image.logins import Logins
from longshore.process.command import Command, Secret
from longshore.process.runner import Runner
from longshore.settings.load import load
from longshore.settings.model import Settings
from longshore.snapshot.take import take
from tests.integration.aws_process import ROOT, AwsProcess

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a daemon with mounts of its own needs root")

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def quiet(text: str, done: int | None = None, total: int | None = None) -> None:
    """Ignore progress."""


@pytest.fixture(scope="module")
def aws(layout: Layout, folder: Path) -> Iterator[AwsProcess]:
    """The local AWS, whose ECR is the registry."""
    process = AwsProcess(folder / "aws", "--registry", layout.registry, "--docker-config", str(layout.docker_config))
    process.start()
    yield process
    process.end()


@pytest.fixture(autouse=True)
def account(aws: AwsProcess, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a shell that deploys to production, which the local AWS plays here."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    return dict(aws.environment)


@pytest.fixture
def place(layout: Layout, request: pytest.FixtureRequest) -> Place:
    """A repository of this test's own."""
    return Place(repository=f"{layout.registry}/shop/{request.node.originalname.replace('_', '-')}")


def clone(folder: Path, *, umask: str = "0022") -> Path:
    """Return a fresh clone of the reference project in FOLDER."""
    subprocess.run(["sh", "-c", f'umask {umask}; git clone -q --depth=1 "$0" "$1"', ROOT.as_uri(), folder], check=True)
    return folder


@pytest.fixture
def image(settings: Settings, layout: Layout, environ: dict[str, str], account: dict[str, str]) -> Callable[..., Image]:
    """Return the image of a checkout, as a machine that knows nothing sees it; BuildKit builds, or BUILDER."""
    runner = Runner(environ)

    def build(*, base: str, platform: str, env: Mapping[str, str | Secret], **options: Any) -> Command:
        command = LocalCloud(settings, layout, runner).build_command(
            **options, deadline=300.0, platform=platform, env=env
        )
        return replace(command, argv=(*command.argv, "--opt=no-cache="))

    def of(checkout: Path, builder: Builder = build) -> Image:
        project = load(checkout, environ | account)
        snapshot = take(project, runner)
        return Image(
            settings=project,
            environment=project.environment("production"),
            runner=runner,
            sources=lambda: snapshot,
            builder=builder,
            base=lambda: "base@sha256:1",
            logins=Logins(settings=project, environment=project.environment("production"), runner=runner),
        )

    return of


def nobody(**_: Any) -> Command:
    raise AssertionError("nothing needs to be built")


def ask(layout: Layout, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    headers = {"Accept": MANIFEST, "Content-Type": MANIFEST} | registry_login.headers(layout)
    request = urllib.request.Request(f"http://{layout.registry}/v2/{path}", body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def little(folder: Path, content: str) -> Path:
    """Make FOLDER a project whose image has no more than CONTENT above the base."""
    folder.mkdir()
    for name in ("longshore.toml", ".gitignore"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "application").mkdir()
    (folder / "application" / "app.py").write_text(content)
    (folder / "Dockerfile").write_text("FROM python:3.11-slim-bookworm\nCOPY application application\n")
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*identity, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_two_checkouts_give_the_same_image_bit_for_bit(
    image: Callable[..., Image], layout: Layout, place: Place, tmp_path: Path
) -> None:
    one, other = clone(tmp_path / "one"), clone(tmp_path / "another place", umask="0077")
    digests = []
    for number, checkout in enumerate((one, other)):
        here = image(checkout)
        for path in here.sources().checkout().rglob("*"):
            os.chown(path, 1000 + number, 1000 + number, follow_symlinks=False)
            os.utime(path, (number * 1e8, number * 1e8), follow_symlinks=False)
        digests.append(here._build(replace(place, repository=f"{place.repository}-{number}"), quiet))
    assert digests[0] == digests[1]


def test_a_fresh_clone_takes_what_the_registry_has_and_builds_nothing(
    image: Callable[..., Image], place: Place, tmp_path: Path
) -> None:
    first = image(little(tmp_path / "one", "one = 1\n")).provide(place, quiet)
    (tmp_path / "one" / "k8s").mkdir()
    (tmp_path / "one" / "k8s" / "deployment.yaml").write_text("kind: Deployment\n")
    subprocess.run(["git", "clone", "-q", tmp_path / "one", tmp_path / "other"], check=True)
    fresh = image(tmp_path / "other", nobody)
    assert fresh.remembered(place) is None
    assert fresh.provide(place, quiet) == first
    assert fresh.remembered(place) == first
    report = json.loads((tmp_path / "other" / ".longshore" / "report" / "image.json").read_text())
    assert (report["digest"], report["base"]) == (first.digest, "base@sha256:1")
    assert len(report["layers"]) > 1


def test_another_base_or_processor_is_another_image(
    image: Callable[..., Image], layout: Layout, place: Place, tmp_path: Path
) -> None:
    here = image(little(tmp_path / "one", "one = 1\n"))
    here.provide(place, quiet)
    assert here.find(replace(place, platform="linux/arm64")) is None
    newer = Image(**{**{name: getattr(here, name) for name in here.__struct_fields__}, "base": lambda: "base@sha256:2"})
    assert newer.remembered(place) is None
    assert newer.find(place) is None


def test_a_tag_is_never_given_twice(image: Callable[..., Image], layout: Layout, place: Place, tmp_path: Path) -> None:
    one, two = (image(little(tmp_path / name, f"{name} = 1\n")) for name in ("one", "two"))
    built = one.provide(place, quiet)
    command = two.builder(
        context=two.sources().checkout(),
        dockerfile=two.sources().checkout() / "Dockerfile",
        folders={},
        name=f"{place.repository}:{built.fingerprint[:16]}",
        metadata=tmp_path / "metadata.json",
        platform="",
        base="",
        env={"DOCKER_CONFIG": str(layout.docker_config)},
    )
    with pytest.raises(CommandFailed) as refusal:
        two.runner.run(command)
    assert "cannot be overwritten because the repository is immutable" in refusal.value.detail
    path = f"{place.repository.partition('/')[2]}/manifests/"
    _, manifest = ask(layout, f"{path}{built.digest}")
    assert ask(layout, f"{path}{built.fingerprint[:16]}", "PUT", manifest)[0] == 400, "not even the same, says ECR"
    assert ask(layout, f"{path}another", "PUT", manifest)[0] == 201


def test_what_builds_start_from_may_have_new_content_under_its_tag(layout: Layout) -> None:
    path = "library/python/manifests/3.11-slim-bookworm"
    _, manifest = ask(layout, path)
    assert ask(layout, path, "PUT", manifest)[0] == 201


def test_who_was_slower_takes_the_image_of_who_was_faster(
    image: Callable[..., Image], layout: Layout, place: Place, tmp_path: Path
) -> None:
    slow, fast = image(little(tmp_path / "slow", "slow = 1\n")), image(little(tmp_path / "fast", "fast = 1\n"))
    assert slow.find(place) is None
    first = fast.provide(place, quiet)
    path = f"{place.repository.partition('/')[2]}/manifests/"
    _, manifest = ask(layout, f"{path}{first.digest}")
    assert ask(layout, f"{path}{slow.fingerprint('')[:16]}", "PUT", manifest)[0] == 201
    assert slow.provide(place, quiet).digest == first.digest


def test_without_emulation_another_processor_is_a_missing_precondition(
    image: Callable[..., Image], layout: Layout, place: Place, tmp_path: Path
) -> None:
    folder = little(tmp_path / "one", "one = 1\n")
    program = folder / "application" / "program"  # the head of a program for arm64, as the base of one has it
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 183, 1) + bytes(40))
    program.chmod(0o755)
    (folder / "Dockerfile").write_text(
        'FROM python:3.11-slim-bookworm\nCOPY application /application\nRUN ["/application/program"]\n'
    )
    with pytest.raises(Precondition, match="cannot run programs for linux/arm64") as problem:
        image(folder).provide(replace(place, platform="linux/arm64"), quiet)
    assert "--install arm64" in problem.value.hint


def test_a_digest_is_known_without_a_question(image: Callable[..., Image], place: Place, tmp_path: Path) -> None:
    folder = little(tmp_path / "one", "one = 1\n")
    built = image(folder).provide(place, quiet)
    assert isinstance(built, BuiltImage)
    os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    assert image(folder, nobody).remembered(place) == built


@pytest.mark.parametrize("part", ["ecr", "registry"])
def test_what_was_killed_of_the_registry_serves_again(layout: Layout, runner: Runner, part: str) -> None:
    pid = layout.daemon(part).pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    while layout.daemon(part).alive():
        time.sleep(0.05)
    assert not registry.ready(layout)
    registry.serve(layout, runner)
    assert registry.ready(layout)
