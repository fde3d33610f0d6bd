"""Timelines and maps of a case: what is drawn, what is left out and said, and what a view may be."""

from skyreid.cases.case import next_revision
from skyreid.cases.deciding.decisions import decide, undo
from skyreid.cases.schema import SOURCES, TRACKLETS

HTML = {"accept": "text/html"}


def test_a_case_is_drawn_on_one_clock_and_an_identity_with_whom_it_may_be(site, square):
    home, own = f"/c/{site.ids['square']}", site.browsers["viewer"]
    decide(square, "gate-a-0001", "roof-a-0001", "confirmed", annotator="anna")
    told = own.get(f"/api{home}/timeline").json()
    assert [(one["camera"], len(one["tracklets"])) for one in told["cameras"]] == [("gate", 3), ("roof", 3)]
    roof = told["cameras"][1]["tracklets"][0]  # its clock begins ten seconds after the gate's
    assert (roof["first"], roof["state"]) == ("2026-05-04T09:00:13.000+00:00", "confirmed")
    page = own.get(f"{home}/timeline").text
    assert page.count('class="seen ground decided"') == 1 and page.count('class="seen ground open"') == 2
    states = {
        one["tracklet_id"]: one["state"]
        for camera in own.get(f"/api{home}/identities/1/timeline").json()["cameras"]
        for one in camera["tracklets"]
    }
    assert (states["gate-a-0001"], states["roof-a-0001"], states["gate-a-0002"]) == ("confirmed", "confirmed", "open")
    assert own.get(f"{home}/identities/4/timeline").headers["location"] == f"{home}/identities/1/timeline"
    undo(square, annotator="anna")


def test_a_view_is_a_part_of_the_time(site):
    home, own = f"/c/{site.ids['square']}", site.browsers["viewer"]
    first = own.get(f"{home}/timeline", params={"view": "1777885200,1777885200.9"}).text
    assert first.count('class="seen ground') == 1 and "09:00:00" in first
    for wrong in ("1777885200", "9,8", "nan,inf", "<b>,1", "1,2,3"):
        answer = own.get(f"{home}/timeline", params={"view": wrong}, headers=HTML)
        assert answer.status_code == 422 and "<b>" not in answer.text


def test_who_has_no_clock_is_left_out_and_named(site, square):
    def set_start(value):
        with square.database.writing() as connection:
            connection.execute(SOURCES.update().where(SOURCES.c.name == "roof-a").values(start_time=value))
            next_revision(connection)

    home, own = f"/c/{site.ids['square']}", site.browsers["viewer"]
    set_start(None)
    page = own.get(f"{home}/timeline").text
    set_start("2026-05-04T11:00:10+02:00")
    assert "roof-a. <a" in page and f"{home}/clock" in page and 'class="seen aerial' not in page


def test_a_map_shows_who_stood_where_or_says_that_nobody_knows(site, square):
    def place(latitude):
        with square.database.writing() as connection:
            connection.execute(
                TRACKLETS.update().where(TRACKLETS.c.number <= 2).values(latitude=latitude, longitude=8.0)
            )
            next_revision(connection)

    home, own = f"/c/{site.ids['square']}", site.browsers["viewer"]
    assert "No position is known" in own.get(f"{home}/map").text
    place(47.0)
    page, alone = own.get(f"{home}/map").text, own.get(f"/api{home}/map", params={"pid": 2}).json()
    assert page.count('class="seen ground open"') == 2 and "4 without a position" in page
    assert [one["number"] for one in alone["places"]] == [2] and alone["places"][0]["state"] == "open"
    for wrong in ("1,2,3", "2,2,1,1", "nan,1,1,0", "0,9e9,1,0"):
        assert own.get(f"{home}/map", params={"view": wrong}, headers=HTML).status_code == 422
    assert own.get(f"{home}/map", params={"pid": 99}, headers=HTML).status_code == 404
    place(None)
