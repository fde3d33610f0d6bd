"""A list that learns while somebody decides: on the page, by its keys, and by the API."""

from contextlib import closing

import pytest

from skyreid.cases.case import create_case
from skyreid.cases.people_database import open_people
from skyreid.cases.work.importing import import_build
from tests.cases.builds import drawn, write_build
from tests.service.browsing import chromium, own_context
from tests.service.running import PASSWORD, Running

PEOPLE = ("gate-a-0001", *(f"roof-a-{number:04d}" for number in range(1, 13)))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refining")
    write_build(folder / "built", PEOPLE, embeddings=drawn(PEOPLE, seed=3))
    (folder / "cases").mkdir()
    with create_case(folder / "cases" / "square", by="anna") as case:
        import_build(case, folder / "built", by="anna", purpose="a test")
        case_id = case.facts().case_id
    people = open_people(folder / "cases")
    people.add_first(people.setup_token(), "boss", PASSWORD)
    people.close()
    with Running(folder / "cases") as server, closing(server.log_in("boss")) as client:
        yield server, case_id, client


def ids(told):
    return [one["tracklet_id"] for one in told["candidates"]]


def test_the_api_refines_and_gives_the_raw_order_when_it_is_asked_for(served):
    _, case_id, client = served
    address = f"/api/c/{case_id}/search?t=1&k=20"
    before = client.get(address).json()
    assert before["refined"] is None
    chosen = before["candidates"][3]
    answer = client.post(
        f"/api/c/{case_id}/decisions", json={"first": 1, "second": chosen["number"], "decision": "confirmed"}
    )
    assert answer.status_code == 201
    refined, raw = client.get(address).json(), client.get(f"{address}&refine=false").json()
    assert (refined["refined"], raw["refined"]) == ({"confirmed": 1, "rejected": 0}, None)
    assert ids(raw) == [one for one in ids(before) if one != chosen["tracklet_id"]]
    assert sorted(ids(refined)) == sorted(ids(raw)) and ids(refined) != ids(raw)
    similarities = {one["tracklet_id"]: (one["rank"], one["similarity"]) for one in raw["candidates"]}
    assert all(similarities[one["tracklet_id"]] == (one["rank"], one["similarity"]) for one in refined["candidates"])
    client.post(f"/api/c/{case_id}/undo", json={"event_id": None})
    assert ids(client.get(address).json()) == ids(before)


def test_the_page_puts_who_is_below_in_a_new_order_and_leaves_the_rest(served):
    server, case_id, client = served
    before = ids(client.get(f"/api/c/{case_id}/search?t=1").json())
    with chromium() as browser:
        page = own_context(browser, server, client).new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{server.url}/c/{case_id}/search?t=1")
        shown = "[...document.querySelectorAll('.candidate')].map(one => one.dataset.id)"
        assert page.evaluate(shown) == before
        for key in "jjjy":
            page.keyboard.press(key)
        page.wait_for_selector("text=refined (1✓ 0✗)")
        after = page.evaluate(shown)
        expected = ids(client.get(f"/api/c/{case_id}/search?t=1").json())
        assert after[:3] == before[:3] and sorted(after) == sorted(before)
        assert after[3:] == [one for one in expected if one not in before[:3]] and after != before
        assert page.evaluate("document.activeElement.dataset.id") == before[2]
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.dataset.id") == after[3]
        page.click("text=order by similarity alone")
        page.wait_for_selector("text=Ordered by similarity alone")
        assert page.evaluate(shown) == [one for one in before if one != before[2]]
        assert complaints == []
