"""What becomes of an object rests on what it is, never on how its YAML is laid out."""

from __future__ import annotations

import json

import pytest

from longshore.errors import BadInput
from longshore.rollout.manifest import Manifest
from tests.unit.rollout.things import app, hook, item

SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: app\n"
JOB = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: migrate\n  annotations:\n"
HOOKS = {
    "plain": JOB + "    longshore.dev/hook: before\n",
    "quoted": JOB + "    'longshore.dev/hook': \"before\"\n",
    "flow": "apiVersion: batch/v1\nkind: Job\nmetadata: {name: m, annotations: {longshore.dev/hook: before}}\n",
    "JSON": json.dumps(hook()),
    "carriage returns": (JOB + "    longshore.dev/hook: before\n").replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", HOOKS.values(), ids=HOOKS)
def test_a_hook_is_one_however_it_is_written(text: str) -> None:
    manifest = Manifest.parse(text)
    assert [job["kind"] for job in manifest.before] == ["Job"]
    assert (manifest.rolled_out, manifest.after) == ((), ())


@pytest.mark.parametrize("value", ['"true"', "'true'", "true", '"True"', '"yes"'])
def test_a_migration_is_irreversible_however_that_is_written(value: str) -> None:
    declared = f"longshore.dev/irreversible: {value}"
    assert Manifest.parse(f"{HOOKS['plain']}    {declared}\n").irreversible
    assert Manifest.parse(HOOKS["flow"].replace("before}", f"before, {declared}}}")).irreversible


@pytest.mark.parametrize("value", ['"false"', "false", '""', '"no"'])
def test_a_migration_that_says_no_is_not_irreversible(value: str) -> None:
    assert not Manifest.parse(HOOKS["plain"] + f"    longshore.dev/irreversible: {value}\n").irreversible


def test_only_a_hook_makes_a_release_irreversible() -> None:
    job = hook(irreversible="true")
    assert Manifest.parse(json.dumps(job)).irreversible
    del job["metadata"]["annotations"]["longshore.dev/hook"]
    assert not Manifest.parse(json.dumps(job)).irreversible


def test_a_text_that_speaks_of_hooks_is_none() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: docs\ndata:\n  text: |\n"
    text += '    kind: Namespace\n    longshore.dev/hook: before\n    longshore.dev/irreversible: "true"\n'
    manifest = Manifest.parse(text)
    assert [thing["kind"] for thing in manifest.rolled_out] == ["ConfigMap"]
    assert (manifest.before, manifest.rights, manifest.irreversible) == ((), (), False)


def test_a_separator_inside_a_value_separates_nothing() -> None:
    script = "set -e\n---\nkind: Namespace\n"
    text = f"{SERVICE}---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  block: |\n"
    text += "".join(f"    {line}\n" for line in script.splitlines()) + f"  quoted: {json.dumps(script)}\n"
    service, config = Manifest.parse(text).rolled_out
    assert service["kind"] == "Service"
    assert config["data"] == {"block": script, "quoted": script}


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n",
        'apiVersion: "v1"\n"kind": "Namespace"\nmetadata: {name: shop}\n',
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind:   Role # of deployers\nmetadata: {name: d}",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: d}\nroleRef: {kind: Role}",
    ],
)
def test_what_an_administrator_sets_is_kept_apart_from_what_a_release_applies(text: str) -> None:
    manifest = Manifest.parse(f"{SERVICE}---\n{text}")
    assert (len(manifest.rights), [thing["kind"] for thing in manifest.released]) == (1, ["Service"])


def test_a_role_of_another_api_is_no_right_in_the_namespace() -> None:
    text = "apiVersion: iam.services.k8s.aws/v1alpha1\nkind: Role\nmetadata: {name: app}"
    assert Manifest.parse(text).rights == ()


def test_plain_values_are_read_as_kubectl_reads_them() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {day: 2026-01-01, ports: 22:22, sign: =, n: 3}"
    assert Manifest.parse(text).rolled_out[0]["data"] == {"day": "2026-01-01", "ports": "22:22", "sign": "=", "n": 3}


def test_objects_keep_their_order_in_each_group() -> None:
    text = "\n---\n".join(map(json.dumps, [hook("b"), app("1"), hook("a"), item("Service", "app"), hook("z", "after")]))
    manifest = Manifest.parse(f"---\n{text}\n---\n")
    assert [job["metadata"]["name"] for job in manifest.before] == ["b", "a"]
    assert [thing["kind"] for thing in manifest.rolled_out] == ["Deployment", "Service"]
    assert [job["metadata"]["name"] for job in manifest.after] == ["z"]


def test_what_a_record_keeps_is_read_back_as_it_was() -> None:
    strange = item("ConfigMap", "c", data={"a": "12345678e901", "b": "yes", "c": "ü\u2028😀\n---\n", "d": "\x7f"})
    manifest = Manifest(before=(hook(),), rolled_out=(app("1"), strange), after=(hook("warm", "after"),))
    assert Manifest.parse(manifest.text) == manifest


def test_a_record_keeps_no_rights() -> None:
    manifest = Manifest(rights=(item("Namespace", "shop"),), rolled_out=(app("1"),))
    assert "Namespace" not in manifest.text


def test_the_record_of_an_older_version_is_read() -> None:
    old = f'{HOOKS["plain"]}    longshore.dev/irreversible: "true"\n---\n{SERVICE.rstrip()}'
    manifest = Manifest.parse(old)
    assert manifest.irreversible
    assert [thing["kind"] for thing in manifest.rolled_out] == ["Service"]


def test_an_empty_manifest_holds_nothing() -> None:
    assert Manifest.parse("") == Manifest()
    assert Manifest.parse(Manifest().text) == Manifest()


def test_workloads_are_those_that_are_rolled_out() -> None:
    manifest = Manifest(before=(hook(),), rolled_out=(app("1"), item("Service", "app")))
    (workload,) = manifest.workloads
    assert (workload.kind, workload.name, workload.images) == ("Deployment", "app", {"app": "registry/app@sha256:1"})


def test_a_string_counts_only_whole_and_as_a_value() -> None:
    manifest = Manifest(rolled_out=(item("Pod", "p", spec={"volumes": [{"secret": {"secretName": "app-secrets-1"}}]}),))
    assert "app-secrets-1" in manifest.strings
    assert manifest.strings.isdisjoint({"app-secrets-", "secretName"})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a\n- b\n", "an object in the manifest: Expected `object`, got `array`"),
        ("kind: Service\nmetadata: {name: app}\n", "Service app in the manifest: Object missing required field"),
        ("apiVersion: v1\nkind: Service\n", "Service in the manifest: Object missing required field `metadata`"),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {}\n",
            "Deployment app in the manifest: ",
        ),
        ("a: [", "the manifest is not YAML: while parsing"),
        ('{"apiVersion": "v1", "kind": "List", "items": 3}', "an object in the manifest: Expected `object`, got `int`"),
    ],
)
def test_what_is_no_manifest_is_bad_input(text: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        Manifest.parse(text)
    assert caught.value.sentence.startswith(sentence)
    assert caught.value.hint


def test_a_null_is_as_if_left_out_where_kubernetes_reads_it() -> None:
    nulls = '{"a": null, "b": [{"c": null, "d": 1}]}'
    for version, expected in ("batch/v1", {"b": [{"d": 1}]}), ("x.io/v1", {"a": None, "b": [{"c": None, "d": 1}]}):
        text = f'{{"apiVersion": "{version}", "kind": "X", "metadata": {{"name": "x"}}, "spec": {nulls}}}'
        (thing,) = Manifest.parse(text).rolled_out
        assert thing["spec"] == expected
