"""On the real cluster: a release that dies young replaces nothing, and one that lives on is rolled out."""

from __future__ import annotations

import json
import time

from longshore.rollout.bake import Asking
from tests.e2e.faults import code
from tests.e2e.project import Project, Ran

RATE = 50  # requests per second, all the time


def prove(site: Project, seconds: int) -> Ran:
    """Deploy under steady requests, of which none fails; return the result, once nothing is left of the pod."""
    address = f"https://shop.localhost:{site.https_port}"
    with Asking(address, site.state() / "pki" / "edge-ca.crt", RATE) as asking:
        ran = site.ship(deadline=90, **{site.key("PROVE"): str(seconds)})
    assert asking.probe.sent > RATE / 2, "the requests did not go on all the time"
    assert asking.probe.result()["classes"] == {}, asking.probe.examples
    end = time.monotonic() + 15
    while "prove" in site.admin("get", "pods,networkpolicies", "-o", "name"):  # the policies go with their pod
        assert time.monotonic() < end
        time.sleep(0.2)
    return ran


def about_the_pod(site: Project) -> list[tuple[str, str]]:
    """Return what was asked about the last release's pod, as verb and subresource, in the API server's audit log."""
    name = f"app-prove-{site.releases()[0]['number']}"
    events = map(json.loads, (site.state() / "logs" / "audit.log").read_text().splitlines())
    about = ((event["verb"], event.get("objectRef", {})) for event in events)
    return [
        (verb, what.get("subresource", "")) for verb, what in about if what.get("name", "").partition(":")[0] == name
    ]


def test_an_image_that_is_ready_and_dies_after_25_seconds_replaces_nothing(site: Project) -> None:
    before, pods = site.version(), site.standing()
    code("threading.Timer(25, os._exit, (4,)).start()")(site)
    ran = prove(site, 35)
    assert ran.exit_code == 6, ran.err
    for words in ("the release did not prove itself: ", "exited with code 4", "what was serving is unchanged"):
        assert words in ran.err
    assert site.version()["digest"] == before["digest"]
    assert set(site.admin("get", "pods", "-o", "name").splitlines()) == pods, "none of the old pods was replaced"
    number, verdict = (site.releases()[0][key] for key in ("number", "verdict"))
    assert verdict == "rolled back"
    evidence = site.folder / ".longshore" / "report" / "evidence" / f"release-{number}"
    assert f"app-prove-{number}" in (evidence / "objects.json").read_text()


def test_a_release_that_proves_itself_is_rolled_out(site: Project) -> None:
    site.change("proved")
    ran = prove(site, 5)
    assert ran.exit_code == 0, ran.err
    assert site.version()["digest"] == ran.data["digest"]
    requests = about_the_pod(site)
    assert requests[0] == ("patch", ""), "started"
    assert ("get", "proxy") in requests, "asked through the API server"
    assert ("delete", "") in requests
    assert site.ship(**{site.key("PROVE"): "5"}).data["changed"] is False, "the pod is none of what has to serve"
