from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from skyreid.retrieval.candidates import Seen, why_impossible
from skyreid.retrieval.sighting import Sighting
from skyreid.tracklet import Frame, Platform, Tracklet

NINE = datetime.fromisoformat("2026-05-04T09:00:00+02:00")


def seen(*, north_m=0.0, begins_s=0.0, lasts_s=4.0, uncertainty_m=1.0, **changed):
    """Somebody before a camera of their own."""
    place = {"latitude": 48 + north_m / 111_195, "longitude": 11.0, "position error, m": uncertainty_m}
    attributes = {name: value for name, value in {**place, **changed}.items() if value is not None}
    frames, platform = (Frame("1.png"),), Platform.GROUND
    clock = NINE + timedelta(seconds=begins_s)
    return Seen(
        tracklet=Tracklet(
            tracklet_id="a-0001", frames=frames, pid=1, camid=0, platform=platform, attributes=attributes
        ),
        sighting=Sighting(camera="gate", clock=clock, offset_s=(0.0, lasts_s)),
    )


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (seen(north_m=100), "at the same moment 100 m away"),
        (seen(north_m=1), None),
        (seen(north_m=100, begins_s=11), None),
        (seen(north_m=100, begins_s=9), "100 m away 9 s apart: 11 m/s or faster"),
        (seen(north_m=100, begins_s=-9), "100 m away 9 s apart: 11 m/s or faster"),
        (seen(north_m=100, uncertainty_m=120.0), None),
        # Without its uncertainty a position counts as known to 20 m.
        (seen(north_m=19, uncertainty_m=None), None),
        (seen(north_m=25, uncertainty_m=None), "at the same moment 25 m away"),
        (seen(north_m=100, latitude=None), None),
    ],
)
def test_two_places_rule_each_other_out_when_nobody_gets_from_one_to_the_other(other, why):
    assert why_impossible(seen(), other, max_speed=10.0) == why
    assert why_impossible(other, seen(), max_speed=10.0) == why


def test_without_clocks_or_zones_nothing_is_ruled_out():
    far = seen(north_m=5000)
    for clock in (None, NINE.replace(tzinfo=None)):
        assert why_impossible(seen(), replace(far, sighting=replace(far.sighting, clock=clock))) is None


def in_picture(name, index, left, *, file="gate.mp4"):
    frame = Frame("1.png", index=index, time_s=index / 25, box=(left, 10.0, left + 30.0, 90.0))
    tracklet = Tracklet(tracklet_id=name, frames=(frame,), pid=1, camid=0, platform=Platform.GROUND)
    return Seen(tracklet=tracklet, sighting=Sighting(camera="gate", file=file))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (in_picture("gate-0002", 25, 100.0), "two people in one picture (at 1.0 s)"),
        # One person who was found twice has two boxes that touch.
        (in_picture("gate-0002", 25, 20.0), None),
        (in_picture("gate-0002", 50, 100.0), None),
        (in_picture("yard-0002", 25, 100.0), None),
        (in_picture("gate-0002", 25, 100.0, file=None), None),
    ],
)
def test_nobody_stands_twice_in_one_picture(other, why):
    assert why_impossible(in_picture("gate-0001", 25, 0.0), other) == why
