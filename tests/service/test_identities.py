"""Pages of identities: one by its address, merging with a preview, and taking it apart again."""

import pytest

from skyreid.cases.deciding.decisions import read_events
from tests.service.conftest import HOSTILE

HTML = {"accept": "text/html"}


@pytest.fixture
def home(site):
    return f"/c/{site.ids['other']}"


def test_two_identities_are_merged_after_a_look_at_both_and_come_apart_again(site, home):
    own, csrf = site.browsers["boss"], {"csrf": site.browsers["boss"].headers["x-csrf-token"]}
    for first, second in ((1, 4), (3, 5)):
        own.post(f"/api{home}/decisions", json={"first": first, "second": second, "decision": "confirmed"})
    assert "needs the" not in own.get(f"{home}/identities/3").text
    page = own.get(f"{home}/merge", params={"pid": [3, 1]}).text
    assert "Identity 3 goes into identity 1" in page
    assert "roof-a-0001 and roof-a-0002</strong> were seen by one camera" in page
    told = own.get(f"/api{home}/merge", params={"t": [5], "pid": [1]}).json()
    assert (told["keeps"], told["gives"], told["is_possible"], told["required"]) == (1, 3, True, 1)
    made = own.post(f"{home}/merge", data={"first": 1, "second": 5, **csrf})
    assert (made.status_code, made.headers["location"]) == (303, f"{home}/identities/1")
    assert own.get(f"{home}/identities/3").headers["location"] == f"{home}/identities/1"
    assert len(own.get(f"/api{home}/identities/3").json()["tracklets"]) == 4
    again = own.get(f"{home}/merge", params={"pid": [1, 3]}, headers=HTML)
    assert again.status_code == 409 and "are one identity already" in again.text
    assert own.post(f"/api{home}/merge", json={"first": 1, "second": 1}).status_code == 409
    assert own.get(f"{home}/merge", params={"pid": [1]}, headers=HTML).status_code == 422
    event = own.get(f"/api{home}/history").json()["decisions"][0]["event_id"]
    assert own.post(f"{home}/identities/1/undo", data={"event_id": event, **csrf}).status_code == 303
    assert own.get(f"{home}/identities/3").status_code == 200
    for _ in range(2):
        own.post(f"/api{home}/undo", json={})


def test_who_may_be_somebody_is_suggested_and_decided_on_from_the_identity(site, home):
    own, csrf = site.browsers["boss"], {"csrf": site.browsers["boss"].headers["x-csrf-token"]}
    told = own.get(f"/api{home}/identities/1").json()
    assert told["needs"] == ["aerial"] and {one["platform"] for one in told["suggestions"]} == {"aerial"}
    best = told["suggestions"][0]
    form = {"first": 1, "second": best["number"], "similarity": best["similarity"], "rank": 1, "model": told["model"]}
    answer = own.post(f"{home}/identities/1/decisions", data=form | {"decision": "rejected"} | csrf)
    assert answer.headers["location"] == f"{home}/identities/1"
    assert best["number"] not in [one["number"] for one in own.get(f"/api{home}/identities/1").json()["suggestions"]]
    listed = own.get(f"{home}/history").text
    assert best["tracklet_id"] in listed and ">Undo<" in listed
    own.post(f"/api{home}/undo", json={})
    assert HOSTILE not in own.get(f"{home}/identities/1").text


def test_what_others_said_is_not_undone_but_seen_otherwise(site, square):
    home, before = f"/c/{site.ids['square']}", len(read_events(square))
    boss, annotator = site.browsers["boss"], site.browsers["annotator"]
    boss.post(f"/api{home}/decisions", json={"first": 2, "second": 5, "decision": "confirmed"})
    page = annotator.get(f"{home}/identities/2").text
    assert "Undo" not in page and 'value="rejected"' in page and ">Reject<" in page
    csrf = {"csrf": annotator.headers["x-csrf-token"]}
    form = {"first": 2, "second": 5, "decision": "rejected", **csrf}
    assert annotator.post(f"{home}/history", data=form).headers["location"] == f"{home}/history"
    assert len(boss.get(f"/api{home}/identities/2").json()["tracklets"]) == 1
    for one in (annotator, boss):
        one.post(f"/api{home}/undo", json={})
    assert len(read_events(square)) == before + 4
