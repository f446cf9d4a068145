"""Whatever is in a file that Longshore reads, it ends with one of its own failures and the right exit code.

Each reader gets arbitrary bytes, and valid documents with parts replaced. Hypothesis chooses them, the same
in each run: what it finds with another seed is a bug as well, but not one of the change that is being tested.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from localcloud import addresses
from longshore.errors import BadInput, Failure, Precondition
from longshore.files import Memory
from longshore.graph.cache import Cache
from longshore.graph.inputs import Inputs
from longshore.graph.steps import Result, Step, Values
from longshore.infra.saved_plan import Facts, SavedPlan
from longshore.rollout.manifest import Manifest
from longshore.rollout.render import check
from longshore.rollout.shape import Target
from longshore.settings.load import load
from tests.unit.hostile import BYTES, damaged, few, files, folder
from tests.unit.sources import snapshot_of

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "longshore.toml").read_text()
TOML = st.sampled_from(
    [
        *(
            '""',
            '"\\u0000"',
            '"\\u001b[2J"',
            "-1",
            "0",
            "1e400",
            "nan",
            "true",
            "[]",
            "{}",
            "[[1]]",
            "1979-05-27",
            "9" * 30,
        ),
        *('"../x"', '"a b"', '"a\\nb"', "{a = 1}", "[{}]", "= 1", '"', "''''''", '"-rf"', "07:32:00"),
    ]
)


def one_sentence(failure: Failure) -> None:
    assert "\n" not in failure.sentence
    assert failure.hint or failure.detail


@st.composite
def toml(draw: st.DrawFn) -> str:
    """Draw the project's own longshore.toml with a line or two replaced, removed or repeated."""
    lines = SETTINGS.splitlines()
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["value", "value", "value", "remove", "repeat", "text"])):
            case "value" if "=" in lines[at]:
                lines[at] = lines[at].lstrip("# ").partition("=")[0] + "= " + draw(TOML)
            case "remove":
                lines[at] = ""
            case "repeat":
                lines.append(lines[at])
            case _:
                lines[at] = draw(st.text(max_size=20))
    return "\n".join(lines)


@few
@given(toml().map(str.encode) | BYTES)
def test_longshore_toml(content: bytes) -> None:
    with folder() as root:
        (root / "longshore.toml").write_bytes(content)
        try:
            load(root, {"HOME": "/nowhere"})
        except BadInput as failure:
            one_sentence(failure)


@few
@given(
    st.sampled_from(
        ["PROJECT", "PROJECT__NAME", "ENVIRONMENTS", "ENVIRONMENTS__LOCAL__BAKE", "STEPS__X", "", "__", "GATES__TESTS"]
    ),
    TOML | st.text(max_size=20),
)
def test_overrides_by_environment_variables(path: str, value: str) -> None:
    try:
        load(ROOT, {"HOME": "/nowhere", f"LONGSHORE__{path}": value})
    except BadInput as failure:
        one_sentence(failure)


FACTS = Facts(
    environment="a",
    account="1",
    commit="c",
    sources="s",
    variables="v",
    providers="p",
    programs="q",
    overrides="",
    lineage="l",
    serial=3,
)
with folder() as made:
    (made / "plan.tfplan").write_bytes(b"plan")
    SavedPlan(made / "plan.tfplan", Memory(made), "").bind(FACTS)
    RECORD = json.loads((made / "plan.json").read_text())


@few
@given(files(RECORD))
def test_the_record_of_a_saved_plan(content: bytes) -> None:
    with folder() as work:
        (work / "plan.tfplan").write_bytes(b"plan")
        (work / "plan.json").write_bytes(content)
        with suppress(Precondition):
            SavedPlan(work / "plan.tfplan", Memory(work), "").check(FACTS)
            kept = json.loads(content)
            assert all(kept[name] == value for name, value in RECORD.items() if name not in ("until", "mac"))


@few
@given(BYTES | st.binary(max_size=200).map(lambda data: b"gAAAA" + data))
def test_a_saved_plan(content: bytes) -> None:
    from cryptography.fernet import Fernet

    with folder() as work:
        (work / "plan.tfplan").write_bytes(content)
        with (
            suppress(Precondition),
            SavedPlan(work / "plan.tfplan", Memory(work), Fernet.generate_key().decode()).opened(),
        ):
            pass


ENTRY = {"step": "s", "inputs": {"a": "b"}, "note": "n", "seconds": 1.0, "until": 0, "partial": False, "format": 2}
STEP = Step(name="s", title="s", run=lambda *_: Result(), reads=Inputs(files=("*.py",), tools=()), reports=("r.xml",))


def cache(root: Path, warnings: list[str]) -> Cache:
    return Cache(folder=root / "cache", root=root, sources=lambda: snapshot_of(root), warn=warnings.append)


@few
@given(
    files(ENTRY | {"reports": {"r.xml": "0" * 64}}),
    st.booleans(),
    st.sampled_from(["entries", "blobs", "last", "durations"]),
)
def test_an_entry_of_the_cache(content: bytes, sealed: bool, kind: str) -> None:
    seal = hashlib.sha256(content).hexdigest().encode() + b"\n" if sealed else b""
    with folder() as root:
        (root / "a.py").write_text("one")
        (root / "r.xml").write_text("report")
        opened = cache(root, [])
        opened.keep(STEP, opened.look(STEP, Values()), Result(), 1.0)
        for path in (root / "cache" / kind).glob("*") if kind != "durations" else [root / "cache" / kind]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(seal + content)
        (root / "r.xml").unlink()
        again = cache(root, [])
        again.look(STEP, Values())
        again.last(STEP)
        again.durations()
        again.close()
        assert {path.name for path in root.iterdir()} <= {"a.py", "cache", "r.xml"}


@few
@given(files({"link": "198.19.0.0/30", "pods": "10.88.0.0/16", "services": "10.89.0.0/16", "second": "198.19.0.4/30"}))
def test_the_addresses_of_a_local_environment(content: bytes) -> None:
    with folder() as state:
        file = state / "a" / addresses.RECORD
        file.parent.mkdir()
        file.write_bytes(content)
        try:
            link, pods, services = addresses.chosen(file, "a")
            second = addresses.second(file, "a")
        except Precondition as failure:
            one_sentence(failure)
        else:
            assert link.subnet_of(addresses.LINKS)
            assert link.prefixlen == second.prefixlen == 30
            assert second.subnet_of(addresses.LINKS)
            assert {pods, services} <= set(addresses.CLUSTER_RANGES)
            assert pods != services
        addresses.chosen(state / "b" / addresses.RECORD, "b")


OBJECTS = [
    item
    for path in sorted((ROOT / "k8s" / "base").glob("*.yaml"))
    for item in yaml.safe_load_all(path.read_text())
    if item
]
TARGET = Target(
    node_port=30080, overlay="local", repository="r", digest="sha256:" + "0" * 64, revision="1", namespace="shop"
)


@few
@given(damaged({"apiVersion": "v1", "kind": "List", "items": OBJECTS}), st.booleans())
def test_a_manifest(document: Any, as_json: bool) -> None:
    text = json.dumps(document) if as_json else yaml.safe_dump(document)
    with suppress(BadInput):
        manifest = Manifest.parse(text)
        check(manifest, TARGET)
        assert manifest.workloads is not None
        assert manifest.strings is not None
        assert manifest.irreversible in {True, False}


@few
@given(BYTES.map(lambda data: data.decode(errors="replace")) | st.text(max_size=40))
def test_text_that_is_no_manifest(text: str) -> None:
    with suppress(BadInput):
        Manifest.parse(text)
