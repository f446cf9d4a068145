"""Applications that know nothing of Longshore, deployed by settings alone, one after the other to one environment."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.e2e.apps import EXAMPLE, Apps
from tests.e2e.conftest import FIRST_START

# Settings, and what the page says.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    EXAMPLE: ({"path": EXAMPLE, "port": 5000, "contract": "own"}, ""),
    "version": ({}, "their page"),
    "plain": ({"writable": ["/srv/notes"], "check": ["/", "/write"]}, "hello"),
    "callable": ({"contract": "none"}, "callable at /"),
    "entrypoint": ({"port": 9000, "dockerfile": "Containerfile"}, "from the factory"),
    "asynchronous": ({}, '{"hello":"asynchronous"}'),
}
SLOW = (EXAMPLE, "version", "entrypoint", "asynchronous")


@pytest.mark.parametrize("app", [pytest.param(app, marks=pytest.mark.slow if app in SLOW else ()) for app in CASES])
def test_an_application_is_deployed_as_it_is(apps: Apps, app: str) -> None:
    settings, says = CASES[app]
    apps.become(app, **settings)
    released = apps.release(deadline=FIRST_START)
    assert released["changed"] is True
    status, _, page = apps.get("/")
    assert (status, page) == (200, says or page)
    contract = settings.get("contract", "injected")
    told, _, body = apps.get("/version" if contract == "own" else "/.longshore/version")
    if contract == "none":
        assert body == "callable at /.longshore/version", "nothing was added"
    else:
        assert told == 200
        assert json.loads(body)["digest"] == released["digest"]
    assert apps.release()["changed"] is False, "nothing has changed since"
    deployment = apps.kubectl("get", "deployment", "site")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] == settings.get(
        "port", 8000
    )


def test_its_own_routes_stay_its_own_and_an_edit_beside_them_is_another_image(apps: Apps) -> None:
    apps.become("plain", writable=["/srv/notes"])
    first = apps.release(deadline=FIRST_START)
    assert apps.get("/.longshore/mine")[2] == "mine"
    assert apps.get("/write")[2] == "written"
    apps.become("plain", edit={"config.py": 'GREETING = "good morning"\n'}, writable=["/srv/notes"])
    second = apps.release()
    assert second["digest"] != first["digest"]
    assert apps.get("/")[2] == "good morning"


def test_a_path_that_fails_is_no_verified_release(apps: Apps) -> None:
    """Without the folder to write to, one page answers 500; all else is well."""
    apps.become("plain", writable=["/srv/notes"])
    good = apps.release(deadline=FIRST_START)
    apps.become("plain", edit={"note.txt": "unwritable"}, check=["/write"])
    failed = apps.ship()
    assert failed.exit_code == 6, failed.err
    assert "/write answered with status 500" in failed.data["error"]
    assert json.loads(apps.get("/.longshore/version")[2])["digest"] == good["digest"]


def test_a_probe_that_hears_404_is_a_verdict_that_names_the_path(apps: Apps) -> None:
    """This application answers nothing of what the settings promise."""
    apps.become("plain", writable=["/srv/notes"])
    good = apps.release(deadline=FIRST_START)
    apps.become("plain", edit={"note.txt": "promised"}, contract="own", readiness="/up")
    began = time.monotonic()
    failed = apps.ship()
    print(f"told and rolled back in {time.monotonic() - began:.1f} s")
    assert failed.exit_code == 6, failed.err
    assert "answers 404 to GET /up, its readiness probe" in failed.data["error"]
    assert json.loads(apps.get("/.longshore/version")[2])["digest"] == good["digest"]


@pytest.mark.parametrize(("rollouts", "rate"), [(2, 50), pytest.param(10, 100, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "app", ["callable", *(pytest.param(app, marks=pytest.mark.slow) for app in SLOW if app != "entrypoint")]
)
def test_no_request_is_lost_in_rollouts_of_an_application_as_it_is(
    apps: Apps, app: str, rollouts: int, rate: float
) -> None:
    settings, _ = CASES[app]
    note = "application/note.txt" if app == EXAMPLE else "note.txt"
    apps.become(app, **settings)
    apps.release(deadline=FIRST_START)

    def roll_out() -> None:
        for number in range(rollouts):
            apps.become(app, edit={note: f"release {number}"}, **settings)
            assert apps.release()["changed"] is True

    figures = apps.under_load(rate, roll_out)
    assert figures["failed"] == 0, figures["examples"]
    assert figures["sent"] > rate / 2, "the requests did not go on all the time"
