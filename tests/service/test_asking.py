"""What a search can be asked, and how its answer is shown."""

import io

import pytest
from PIL import Image

from skyreid.cases.audit import read_audit
from skyreid.cases.tracklets import read_tracklets


@pytest.fixture
def numbers(square):
    return {one.tracklet.tracklet_id: one.number for one in read_tracklets(square)}


@pytest.fixture
def ask(site, numbers):
    """What a program is told that asks with somebody at the gate."""

    def asked(**changed):
        own = site.browsers["viewer"]
        answer = own.get(f"/api/c/{site.ids['square']}/search", params={"t": numbers["gate-a-0001"], **changed})
        assert answer.status_code == 200, answer.text
        return answer.json()

    return asked


def names(told):
    return {one["tracklet_id"] for one in told["candidates"]}


def test_filters_apply_before_anything_is_ranked_and_are_said(ask):
    everybody = ask(to="any")
    gate = ask(to="any", camera=["gate", ""])
    assert names(gate) == {one for one in names(everybody) if one.startswith("gate")}
    assert gate["num_searched"] == len(gate["candidates"]) and gate["left_out"][-1]["filter"] == "camera gate"
    late = ask(to="any", after="2026-05-04T09:01:00+00:00")
    assert names(late) == {"gate-b-0001"} and late["candidates"][0]["seconds_from_query"] == 62.0
    assert ask(to="any", speed=3)["left_out"][-1]["filter"] == "reachable at 3 m/s"


def test_where_nobody_is_so_similar_the_first_are_shown_as_weak(ask):
    ranked = [one["similarity"] for one in ask(to="any")["candidates"]]
    floor = (ranked[1] + ranked[2]) / 2
    some, none = ask(to="any", floor=floor), ask(to="any", floor=0.999)
    assert [one["similarity"] for one in some["candidates"]] == ranked[:2] and not some["weak"]
    assert some["num_below_floor"] == len(ranked) - 2
    assert none["weak"] and [one["similarity"] for one in none["candidates"]] == ranked[:5]


def test_the_page_says_weak_offers_to_widen_and_its_address_asks_the_same(site, numbers):
    own, page = site.browsers["viewer"], f"/c/{site.ids['square']}/search"
    asked = {"t": numbers["gate-a-0001"], "camera": "roof", "floor": 0.999, "columns": "4", "decided": True}
    told = own.get(page, params=asked).text
    assert "Weak." in told and "columns-4" in told and ">all cameras</a>" in told
    address = told.split("link to this search")[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    again = own.get(page + address).text
    assert again.count("data-rank") == told.count("data-rank") and 'value="roof" checked' in again
    assert "Nobody to compare with" in own.get(page, params=asked | {"before": "2001-01-01T00:00"}).text


@pytest.mark.parametrize(
    "wrong", [{"k": 1001}, {"after": "soon"}, {"columns": "7"}, {"camera": "moon"}, {"speed": -1}, {"t": ""}]
)
def test_what_cannot_be_asked_is_refused(site, numbers, wrong):
    asked = {"t": numbers["gate-a-0001"]} | wrong
    assert site.browsers["viewer"].get(f"/api/c/{site.ids['square']}/search", params=asked).status_code == 422


def test_a_tracklet_is_stepped_through_without_a_script(site):
    own, page = site.browsers["viewer"], f"/c/{site.ids['square']}/tracklets/1"
    first, last = own.get(page).text, own.get(page, params={"place": 99}).text
    assert "/frames/1/0.jpg" in first and 'href="?place=1"' in first
    assert "/frames/1/1.jpg" in last and 'href="?place=0"' in last and 'href="?place=2"' not in last
    assert own.get(page, params={"place": -1}).status_code == 422


def test_lists_say_who_is_stacked_and_are_whole_all_the_same(site, ask):
    own, home = site.browsers["viewer"], site.ids["square"]
    assert ask(to="any")["stacks"] == [] and len(names(ask(to="any"))) == 5  # they are all in view at once
    told = own.get(f"/api/c/{home}/tracklets").json()
    assert told["stacks"] == [] and len(told["tracklets"]) == told["total"] == 6
    page = own.get(f"/c/{home}/tracklets", params={"each": True, "size": 4}).text
    assert "size-4" in page and "films/1.jpg?large=true" in page and "Stack them" in page
    assert own.get(f"/c/{home}/films/1.jpg", params={"large": True}).status_code == 200


def test_two_are_compared_frame_by_frame_without_a_script_and_it_is_noted(site, square, numbers):
    own, home = site.browsers["annotator"], f"/c/{site.ids['square']}"
    pair = {"a": numbers["gate-a-0001"], "b": numbers["roof-a-0001"]}
    first = own.get(f"{home}/compare", params=pair).text
    assert f"{home}/frames/{pair['a']}/0.jpg" in first and "at_b=1" in first and 'name="decision"' in first
    later = own.get(f"{home}/compare", params=pair | {"at_b": 99}).text
    assert f"{home}/frames/{pair['b']}/1.jpg" in later
    with square.database.reading() as connection:
        last = read_audit(connection)[-1]
    assert (last.who, last.action, last.subject) == ("annotator", "tracklets compared", "gate-a-0001 roof-a-0001")
    assert own.get(f"/api{home}/compare", params=pair).json()["state"] == "open"
    picture = own.get(f"{home}/frames/{pair['a']}/1.jpg")
    assert Image.open(io.BytesIO(picture.content), formats=["JPEG"]).height > 50
    assert own.get(f"{home}/frames/{pair['a']}/2.jpg").status_code == 404


def test_a_case_whose_weights_are_nowhere_says_so(site):
    own = site.browsers["viewer"]
    told = own.get(f"/api/c/{site.ids['square']}/ask").json()
    assert not told["pictures"]["can"] and "--model" in told["pictures"]["reason"]
    assert "skyreid serve --model" in own.get(f"/c/{site.ids['square']}/ask").text
