"""What pages and programs are told of a case, and what their actions do."""

import io
import re

import pytest
from PIL import Image

from skyreid.cases.audit import read_audit
from skyreid.cases.deciding.decisions import read_events
from skyreid.cases.search.searching import CaseSearch
from skyreid.cases.tracklets import read_tracklets
from skyreid.errors import SettingError
from skyreid.tracklet import Platform
from tests.service.conftest import HOSTILE

PAGES = (
    "sources",
    "tracklets",
    "tracklets?camera=gate",
    "tracklets/1",
    "search?t=1",
    "compare?a=1&b=4",
    "identities",
    "audit",
)


@pytest.fixture
def numbers(square):
    return {one.tracklet.tracklet_id: one.number for one in read_tracklets(square)}


@pytest.mark.parametrize("page", PAGES)
def test_a_name_never_becomes_markup(site, page):
    answer = site.browsers["boss"].get(f"/c/{site.ids['square']}/{page}")
    assert answer.status_code == 200
    assert HOSTILE not in answer.text and "&lt;img src=x onerror=pwn()&gt;" in answer.text
    # No style and no script but our own files: the policy lets no other run.
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?! src=\"/static/)", answer.text.replace("onerror=", ""))


def test_what_somebody_asks_with_never_becomes_markup(site):
    own = site.browsers["boss"]
    for name in ("after", "camera", "platform", "page"):
        path, page = f"/c/{site.ids['square']}/tracklets", {"accept": "text/html"}
        answer = own.get(path, params={name: HOSTILE}, headers=page)
        assert answer.headers["content-type"].startswith("text/html")
        assert HOSTILE not in answer.text


def test_the_cases_of_somebody_are_those_of_their_roles(site):
    mine = {name: site.browsers[name].get("/api/cases").json() for name in ("boss", "viewer", "auditor", "nobody")}
    assert [len(mine[name]) for name in ("boss", "viewer", "auditor", "nobody")] == [2, 1, 1, 0]
    assert mine["viewer"][0]["tracklets"] == 6 and mine["auditor"][0]["tracklets"] == 0
    assert "no case yet" in site.browsers["nobody"].get("/").text


def test_the_grid_shows_those_who_fit(site):
    own, path = site.browsers["viewer"], f"/api/c/{site.ids['square']}/tracklets"
    assert [own.get(path, params={"platform": one}).json()["total"] for one in ("", "ground", "aerial")] == [6, 3, 3]
    late = own.get(path, params={"after": "2026-05-04T09:01:00"}).json()
    assert {one["tracklet_id"] for one in late["tracklets"]} == {"gate-b-0001"}
    assert own.get(path, params={"after": "yesterday"}).status_code == 422
    page = own.get(f"/c/{site.ids['square']}/tracklets", params={"platform": "aerial"})
    assert page.text.count('class="card"') == 3


@pytest.mark.parametrize("path", ["tracklets?platform=aerial", "identities?show=all", "history?"])
def test_a_page_behind_the_last_one_leads_to_the_last_one(site, path):
    own, address = site.browsers["viewer"], f"/c/{site.ids['square']}/{path}"
    answer = own.get(f"{address}&page=77", follow_redirects=False)
    assert answer.status_code == 303
    assert own.get(answer.next_request.url).text.count("Page 77") == 0
    assert answer.headers["location"].endswith("page=1")


def test_pictures_are_those_of_the_case_and_nothing_says_where_they_lie(site):
    own = site.browsers["viewer"]
    for kind in ("films", "strips"):
        answer = own.get(f"/c/{site.ids['square']}/{kind}/1.jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content), formats=["JPEG"]).height > 100
        assert own.get(f"/c/{site.ids['square']}/{kind}/99.jpg").status_code == 404
    told = own.get(f"/api/c/{site.ids['square']}/sources").text
    assert "path" not in told and str(site.folder) not in told


def test_a_search_is_the_one_of_the_library_and_is_noted(site, square, numbers):
    found = site.browsers["viewer"].get(
        f"/api/c/{site.ids['square']}/search", params={"t": numbers["gate-a-0001"], "decided": True}
    )
    expected = CaseSearch(square).search(["gate-a-0001"], platform=Platform.AERIAL, with_decided=True)
    told = found.json()
    assert [(one["tracklet_id"], one["similarity"]) for one in told["candidates"]] == [
        (one.seen.tracklet.tracklet_id, one.similarity) for one in expected.candidates
    ]
    assert told["num_searched"] == 3 and told["notice"].startswith("Similarity of appearance only")
    with square.database.reading() as connection:
        last = read_audit(connection)[-1]
    assert (last.who, last.action, last.subject) == ("viewer", "search", "gate-a-0001")
    page = site.browsers["viewer"].get(f"/c/{site.ids['square']}/search", params={"t": numbers["gate-a-0001"]})
    assert "not proof of identity" in page.text and "exact" in page.text and 'name="decision"' not in page.text


def test_a_decision_is_made_and_taken_back_by_program_and_by_form(site, square, numbers):
    own, home = site.browsers["annotator"], f"/c/{site.ids['square']}"
    pair = {"first": numbers["gate-a-0002"], "second": numbers["roof-a-0003"]}
    before = len(read_events(square))
    made = own.post(f"/api{home}/decisions", json=pair | {"decision": "confirmed", "rank": 1, "similarity": 0.5})
    assert made.status_code == 201 and made.json()["state"] == "confirmed"
    assert "roof-a-0003" in own.get(f"{home}/identities").text
    assert own.post(f"/api{home}/undo", json={}).json()["state"] == "open"
    csrf = own.headers["x-csrf-token"]
    form = {name: str(value) for name, value in pair.items()} | {"decision": "rejected", "csrf": csrf}
    with site.server.client() as browser:
        browser.cookies = own.cookies
        assert browser.post(f"{home}/decisions", data=form).status_code == 303
        assert browser.post(f"{home}/decisions", data=form | {"decision": "married"}).status_code == 422
        assert browser.post(f"{home}/undo", data={"csrf": csrf}).status_code == 303
    assert len(read_events(square)) == before + 4
    assert {event.annotator for event in read_events(square)[before:]} == {"annotator"}


def test_what_contradicts_itself_is_refused_in_words(site, numbers):
    own, home = site.browsers["boss"], f"/api/c/{site.ids['other']}"
    gate, roof, third = (numbers[name] for name in ("gate-a-0001", "roof-a-0001", "gate-b-0001"))
    for first, second, decision in ((gate, roof, "confirmed"), (gate, third, "rejected")):
        own.post(f"{home}/decisions", json={"first": first, "second": second, "decision": decision})
    refused = own.post(f"{home}/decisions", json={"first": third, "second": roof, "decision": "confirmed"})
    assert refused.status_code == 409 and "cannot be confirmed" in refused.json()["error"]
    for _ in range(2):
        own.post(f"{home}/undo", json={})


def test_the_log_is_shown_to_those_who_watch_and_says_that_it_is_whole(site):
    own = site.browsers["auditor"]
    told = own.get(f"/api/c/{site.ids['square']}/audit").json()
    assert told["damage"] == [] and told["rows"][0]["seq"] == int(told["head"].split(":")[0])
    assert "Every row follows" in own.get(f"/c/{site.ids['square']}/audit").text


def test_programs_are_told_what_they_may_ask(site):
    paths = site.browsers["viewer"].get("/api/openapi.json").json()["paths"]
    assert "/api/c/{case_id}/search" in paths and all(path.startswith("/api/") for path in paths)
    assert "/api/c/{case_id}/search" in site.browsers["viewer"].get("/api").text


@pytest.mark.parametrize(
    ("asked", "told"), [({"port": 99_999}, "0 .* to 65535"), ({"models": ["nothing.onnx"]}, "nothing.onnx: is no")]
)
def test_a_server_says_at_its_start_what_it_cannot_use(tmp_path, asked, told):
    from skyreid.service.server import open_server

    with pytest.raises(SettingError, match=told), open_server(tmp_path, **asked):
        pass
    assert not list(tmp_path.iterdir())
