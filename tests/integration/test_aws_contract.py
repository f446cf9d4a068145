"""The operations that the local AWS patches, checked against AWS's own models: never more lenient than AWS."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from localcloud.aws.inputs import UNCHECKED
from localcloud.aws.patching import PATCHES
from localcloud.aws.server import PATCHED
from tests.integration.aws_calls import make, standing, unmake
from tests.integration.aws_process import ROOT, AwsProcess
from tests.integration.aws_recorder import Recorded, Recorder
from tests.integration.aws_refusals import Raw, Refusal, unknown, wrong
from tests.integration.aws_shapes import allowed, complaints

FOLDER = ROOT / "localcloud" / "aws"
PATCHING = {module.__name__.rpartition(".")[2] for module in PATCHED}
OURS = sorted({(service, name) for (service, _), names in PATCHES.items() for name in names})
CHECKED = [(service, name) for service, name in OURS if service not in UNCHECKED]
SESSION = botocore.session.get_session()


def name_of(operation: Any) -> tuple[str, str]:
    return operation.service_model.service_name, xform_name(operation.name)


@dataclass(frozen=True)
class Seen:
    """Every call with its answer, and what existed before and after the invalid requests."""

    calls: list[Recorded]
    refusals: list[Refusal]
    lost: list[Refusal]
    before: dict[str, Any]
    after: dict[str, Any]

    def of(self, operation: tuple[str, str]) -> list[Recorded]:
        return [call for call in self.calls if name_of(call.operation) == operation]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    aws = AwsProcess(tmp_path_factory.mktemp("aws") / "state")
    aws.start()
    try:
        ask, raw, watch = Recorder(aws), Raw(aws), Recorder(aws)
        make(ask)
        before = standing(watch)
        refusals, lost = refuse(raw, ask.calls)
        after = standing(watch)
        made = len(ask.calls)
        unmake(ask)
        more, gone = refuse(raw, ask.calls[made:])
        yield Seen(ask.calls + watch.calls, refusals + more, lost + gone, before, after)
    finally:
        aws.end(kill=True)


def refuse(raw: Raw, calls: list[Recorded]) -> tuple[list[Refusal], list[Refusal]]:
    """Send requests that violate the model, then requests for resources that do not exist."""
    good = [
        call
        for call in calls
        if call.status < 400 and name_of(call.operation) in CHECKED and call.operation.input_shape
    ]
    refusals, lost = [], []
    for call in good:
        shape = call.operation.input_shape
        form = call.operation.service_model.metadata["protocol"] in ("query", "ec2")
        refusals += [raw(call, what, bad) for what, bad in wrong(shape, call.asked, form)]
        lost += [raw(call, what, bad) for what, bad in unknown(shape, call.asked)]
    return refusals, lost


def test_every_patch_names_the_operations_that_it_affects() -> None:
    patches = 0
    for path in FOLDER.glob("*.py"):
        decorated = [name for name in decorators(path) if name in ("wrap", "add", "route")]
        assert not decorated or path.stem in PATCHING, path
        patches += len(decorated)
    assert patches == len(PATCHES)
    assert all(PATCHES.values())


def decorators(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        for decorator in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name):
                yield decorator.func.id


@pytest.mark.parametrize("operation", OURS, ids=" ".join)
def test_the_named_operations_exist(operation: tuple[str, str]) -> None:
    service, name = operation
    assert name in map(xform_name, SESSION.get_service_model(service).operation_names)


def test_a_route_is_where_the_model_has_its_operation() -> None:
    model = SESSION.get_service_model("eks")
    http = {xform_name(name): model.operation_model(name).http for name in model.operation_names}
    for (service, what), (operation, *_) in PATCHES.items():
        if " /" in what:
            assert service == "eks"
            expected = f"{http[operation]['method']} {http[operation]['requestUri']}"
            assert blank(what) == blank(expected), operation


def blank(uri: str) -> list[str]:
    return ["{}" if part.startswith("{") else part for part in uri.split("/")]


@pytest.mark.parametrize("operation", OURS, ids=" ".join)
def test_every_patched_operation_is_called_and_answers_well(seen: Seen, operation: tuple[str, str]) -> None:
    assert [call for call in seen.of(operation) if call.status < 300], "add it to aws_calls.py"


@pytest.mark.parametrize("operation", OURS, ids=" ".join)
def test_an_answer_is_as_the_model_has_it(seen: Seen, operation: tuple[str, str]) -> None:
    good = [call for call in seen.of(operation) if call.status < 400]
    assert not [text for call in good for text in complaints(call.operation, call.headers, call.body)]


@pytest.mark.parametrize("operation", OURS, ids=" ".join)
def test_an_error_is_one_that_the_operation_may_answer_with(seen: Seen, operation: tuple[str, str]) -> None:
    for call in seen.of(operation):
        if call.status >= 400:
            assert allowed(call.operation, call.status, call.code), (call.status, call.code)
    for refusal in seen.lost:
        if name_of(refusal.operation) == operation:
            assert refusal.status >= 400, refusal.what
            assert allowed(refusal.operation, refusal.status, refusal.code), refusal


@pytest.mark.parametrize("operation", CHECKED, ids=" ".join)
def test_what_the_model_refuses_is_a_400_of_that_operation(seen: Seen, operation: tuple[str, str]) -> None:
    for refusal in seen.refusals:
        if name_of(refusal.operation) == operation:
            assert refusal.status == 400, refusal.what
            assert allowed(refusal.operation, 400, refusal.code), (refusal.what, refusal.code)


def test_what_is_refused_changes_nothing(seen: Seen) -> None:
    assert len(seen.refusals) > 300
    assert seen.after == seen.before
