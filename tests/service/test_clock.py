"""Clocks of cameras: tried side by side, kept with a trace, and used wherever times are."""

from datetime import datetime, timedelta

import pytest

START = "2026-05-04T09:00:00+00:00"


@pytest.fixture
def other(site):
    """A case whose clocks may be set; the first source of it is on the ground, the third in the air."""
    own, home = site.browsers["boss"], f"/c/{site.ids['other']}"
    numbers = {one["name"]: one["number"] for one in own.get(f"/api{home}/sources").json()}
    for number in numbers.values():
        kept = own.post(f"/api{home}/sources/{number}/clock", json={"start_time": START, "offset_s": 0})
        assert kept.status_code == 200
    return own, home, numbers["gate-a"], numbers["roof-a"]


def test_an_offset_is_tried_before_it_is_kept_and_then_moves_every_time(other):
    own, home, gate, roof = other
    asked = f"/api{home}/clock?a={gate}&b={roof}"
    first, second = own.get(asked).json()["sides"]
    assert first["begins"] == second["begins"] == START
    assert first["near"] and second["near"]
    tried = own.get(f"{asked}&offset=3600").json()["sides"][1]
    assert (tried["offset_s"], tried["near"]) == (3600.0, [])
    assert own.get(asked).json()["sides"][1] == second
    page = own.get(f"{home}/clock?a={gate}&b={roof}&offset=1.5").text
    assert "offset +1.5 s" in page and "(tried; +0.0 s is kept)" in page
    before = {one["number"]: one["time"] for one in own.get(f"/api{home}/tracklets").json()["tracklets"]}
    csrf = {"csrf": own.headers["x-csrf-token"]}
    kept = own.post(f"{home}/sources/{roof}/clock", data=csrf | {"offset": "-2.5", "other": str(gate)})
    assert kept.status_code == 303 and kept.headers["location"] == f"{home}/clock?a={gate}&b={roof}"
    moved = 0
    for one in own.get(f"/api{home}/tracklets").json()["tracklets"]:
        later_s = datetime.fromisoformat(one["time"]) - datetime.fromisoformat(before[one["number"]])
        assert later_s == timedelta(seconds=-2.5 if one["source"] == "roof-a" else 0)
        moved += one["source"] == "roof-a"
    assert moved == 3
    assert any(row["action"] == "source clock" for row in own.get(f"/api{home}/audit").json()["rows"])


def test_what_is_no_clock_is_refused(other):
    own, home, gate, roof = other
    where = f"/api{home}/sources/{roof}/clock"
    for clock in ({"start_time": "2026-05-04T09:00:00", "offset_s": 0}, {"start_time": START, "offset_s": 1e12}):
        assert own.post(where, json=clock).status_code == 422
    assert own.get(f"/api{home}/clock?a={gate}&b={roof}&at=noon").status_code == 422
    assert own.get(f"/api{home}/clock?a={gate}&b=9999").status_code == 404
    unset = own.post(where, json={"start_time": None, "offset_s": 0})
    assert unset.json()["begins"] is None
    assert "Say when its first frame was taken." in own.get(f"{home}/clock?a={gate}&b={roof}").text
