"""Annotating in pairs, by form, by program and by keys; and four eyes."""

import pytest

from skyreid.building.linking.event_log import DecisionEvent
from skyreid.cases.case import open_case
from skyreid.cases.deciding.decisions import read_events
from tests.service.browsing import chromium, own_context

HTML = {"accept": "text/html"}


@pytest.fixture
def other(site):
    """The case in which the boss alone has a role."""
    with open_case(site.folder / "other") as case:
        yield case


def test_one_pair_is_asked_after_the_other_and_an_undone_one_again(site, other):
    home, own = f"/c/{site.ids['other']}", site.browsers["boss"]
    csrf, before = {"csrf": own.headers["x-csrf-token"]}, len(read_events(other))
    (first,) = own.get(f"/api{home}/annotate", params={"k": 1}).json()["pairs"]
    assert "similarity" not in first and "similarity" in own.get(f"/api{home}/annotate?scores=true").json()["pairs"][0]
    page = own.get(f"{home}/annotate").text
    assert f'data-first="{first["first"]}" data-second="{first["second"]}"' in page and "similarity 0" not in page
    form = {"first": first["first"], "second": first["second"], "decision": "rejected", "seconds": 2.5} | csrf
    assert own.post(f"{home}/annotate", data=form).headers["location"] == f"{home}/annotate?scores=false"
    event = read_events(other)[-1]
    assert isinstance(event, DecisionEvent) and (event.similarity, event.seconds) == (None, 2.5)
    left = own.get(f"/api{home}/annotate").json()
    assert first["tracklet_ids"] not in [one["tracklet_ids"] for one in left["pairs"]] and left["left"] == 8
    again = own.post(f"{home}/annotate/undo", data=csrf).headers["location"]
    assert f'data-first="{first["first"]}" data-second="{first["second"]}"' in own.get(again).text
    assert len(read_events(other)) == before + 2


def test_an_answer_that_contradicts_another_is_refused_beside_the_pair(site):
    home, own = f"/c/{site.ids['other']}", site.browsers["boss"]
    csrf = {"csrf": own.headers["x-csrf-token"]}
    for first, second, decision in ((1, 4, "confirmed"), (1, 3, "rejected")):
        own.post(f"/api{home}/decisions", json={"first": first, "second": second, "decision": decision})
    refused = own.post(f"{home}/annotate", data={"first": 3, "second": 4, "decision": "confirmed"} | csrf, headers=HTML)
    assert refused.status_code == 409 and "cannot be confirmed" in refused.text
    assert 'data-first="3" data-second="4"' in refused.text
    for _ in range(2):
        own.post(f"/api{home}/undo", json={})


def test_four_eyes_see_nothing_of_each_other_until_both_have_spoken(site, square):
    home, boss, examiner = f"/c/{site.ids['square']}", site.browsers["boss"], site.browsers["examiner"]
    assert examiner.post(f"/api{home}/agreement", json={"people": 2}).status_code == 403
    assert boss.post(f"/api{home}/agreement", json={"people": 2}).json() == {"required": 2}
    pair = {"first": 3, "second": 6, "decision": "confirmed"}  # on which nobody has spoken who was heard
    assert boss.post(f"/api{home}/decisions", json=pair).json()["state"] == "waiting"
    own = boss.get(f"/api{home}/history").json()["decisions"][0]
    assert (own["decision"], own["waiting"]) == ("confirmed", True) and "state waiting" in boss.get(
        f"{home}/history"
    ).text
    asked = examiner.get(f"/api{home}/annotate").json()["pairs"][0]
    assert (asked["first"], asked["second"]) == (3, 6)
    found = examiner.get(f"/api{home}/search", params={"t": 3}).json()["candidates"]
    assert {one["number"]: one["state"] for one in found}[6] == "open"
    for told in (f"{home}/history", f"{home}/identities/3", f"{home}/annotate"):
        assert "state confirmed" not in examiner.get(told).text
    assert "1 wait for another person" in boss.get(f"{home}/agreement").text
    assert examiner.post(f"/api{home}/decisions", json=pair).json()["state"] == "confirmed"
    assert "boss" in examiner.get(f"{home}/identities/3").text
    told = examiner.get(f"/api{home}/agreement").json()
    assert told["agreement"][0] == {"people": ["boss", "examiner"], "pairs": 1, "agreed": 1, "kappa": None}
    assert "undefined" in examiner.get(f"{home}/agreement").text
    csrf = {"csrf": boss.headers["x-csrf-token"]}
    assert boss.post(f"{home}/agreement", data={"people": 1} | csrf).status_code == 303
    for one in (examiner, boss):
        one.post(f"/api{home}/undo", json={})


def test_a_queue_is_worked_through_by_keys(site, other):
    before = len(read_events(other))
    with chromium() as browser:
        page = own_context(browser, site.server, site.browsers["boss"]).new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{site.server.url}/c/{site.ids['other']}/annotate")
        for key, said in (("n", "1 pair "), ("s", "2 pairs "), ("u", "1 pair "), ("u", "0 pairs ")):
            page.keyboard.press(key)
            page.wait_for_selector(f".goal:has-text('you decided {said}')")
        assert complaints == []
    events = read_events(other)[before:]
    assert [type(event).__name__ for event in events] == [*["DecisionEvent"] * 2, *["UndoEvent"] * 2]
    assert events[0].seconds > 0
