"""What no recorder can have seen is left out of a log and named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from skyreid.telemetry.checked_log import LARGE_DRONE_M_S, checked_log
from skyreid.telemetry.csv_log import read_csv_file
from skyreid.telemetry.dji_subtitles import read_subtitle_file
from skyreid.telemetry.flight_log import FlightRecord
from tests.telemetry.subtitles import MINI, RTK, subtitles

HERE = FlightRecord(time_s=0.0, latitude=48.1234567, longitude=11.7654321, height_m=50.0, altitude_m=550.0)


def log_of(*records, **settings):
    return checked_log("flight", "made up", records, altitude_from="sea", **settings)


def flight(count, **changes):
    """A record a second; `changes` has fields and, for each, a list of what they are instead."""
    return [
        replace(HERE, time_s=float(n), **{name: values[n] for name, values in changes.items()}) for n in range(count)
    ]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("height_m", 99_999.0, "a height that cannot be, 99999 m in record 2"),
        ("height_m", -12_000.0, "a height that cannot be, -12000 m"),
        ("height_m", float("nan"), "a height that cannot be, nan m"),
        ("altitude_m", float("inf"), "an altitude that cannot be, inf m"),
        ("gimbal_pitch", 600.0, "a pitch of the gimbal that cannot be, 600 degrees"),
        ("aircraft_yaw", float("-inf"), "a yaw of the aircraft that cannot be"),
        ("hfov", 0.0, "a horizontal view that cannot be, 0 degrees"),
        ("focal_length_mm", -24.0, "a focal length that cannot be, -24 mm"),
        ("clock", datetime(1970, 1, 1), "a date that cannot be, such as 1970-01-01"),
        ("clock", datetime(2100, 1, 1, tzinfo=UTC), "a date that cannot be, such as 2100-01-01"),
    ],
)
def test_a_value_that_cannot_be_is_absent_and_named(name, value, words):
    log = log_of(HERE, replace(HERE, time_s=1.0, **{name: value}))
    assert getattr(log.records[1], name) is None
    assert log.records[1].place == HERE.place
    assert [f"1 of 2 records have {words}" in warning for warning in log.warnings] == [True]


@pytest.mark.parametrize("place", [(0.0, 0.0), (1e-6, -1e-6), (91.0, 0.0), (10.0, 181.0), (float("nan"), 3.0)])
def test_a_position_that_cannot_be_is_absent_and_named(place):
    log = log_of(HERE, replace(HERE, time_s=1.0, latitude=place[0], longitude=place[1]))
    assert [record.place for record in log.records] == [HERE.place, None]
    assert log.warnings[0].endswith("; their position is left out")


def test_a_ground_that_is_not_on_the_earth_is_absent_and_named():
    log = log_of(replace(HERE, centre_latitude=95.0, centre_longitude=11.0, corners=((1.0, 2.0),) * 4))
    assert (log.records[0].centre_latitude, log.records[0].corners) == (None, None)
    assert "not on the earth" in log.warnings[0]


@pytest.mark.parametrize(
    ("name", "usual", "odd", "said"),
    [
        ("latitude", 48.1234567, 48.2, "the position leaps by 8511 m within 1.00 s at record 4"),
        ("height_m", 50.0, 480.0, "the height leaps by 430 m within 1.00 s at record 4"),
        ("altitude_m", 550.0, 50.0, "the altitude leaps by 500 m within 1.00 s at record 4"),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_what_leaps_away_and_back_is_absent(name, usual, odd, said, count):
    values = [usual] * 3 + [odd] * count + [usual] * 3
    log = log_of(*flight(len(values), **{name: values}))
    assert [getattr(record, name) for record in log.records] == [usual] * 3 + [None] * count + [usual] * 3
    (warning,) = log.warnings if name != "latitude" else [one for one in log.warnings if "leaps" in one]
    assert warning.startswith(said)
    assert f"of {count} records, which the others contradict, is left out" in warning


def test_where_a_log_falls_apart_nobody_knows_which_part_is_wrong():
    log = log_of(*flight(6, height_m=[50.0] * 3 + [480.0] * 3))
    assert [record.height_m for record in log.records] == [50.0] * 3 + [480.0] * 3
    assert "nothing tells which part of the log is wrong" in log.warnings[0]


def test_a_receiver_that_begins_elsewhere_is_absent_until_it_has_a_fix():
    log = log_of(*flight(10, latitude=[22.5] * 2 + [48.1234567] * 8))
    assert [record.place for record in log.records] == [None] * 2 + [HERE.place] * 8


def test_flying_fast_is_no_leap():
    north = [48.0 + 90 * n / 111_195 for n in range(5)]
    assert log_of(*flight(5, latitude=north)).warnings == ()
    faster = [48.0 + 300 * n / 111_195 for n in range(5)]
    assert "leaps" in log_of(*flight(5, latitude=faster)).warnings[0]
    assert log_of(*flight(5, latitude=faster), fastest_m_s=LARGE_DRONE_M_S).warnings == ()


def test_steps_of_coarse_coordinates_are_no_leap():
    coarse = [replace(one, longitude=11.765) for one in flight(4, latitude=[48.123, 48.124, 48.124, 48.125])]
    assert log_of(*coarse).warnings == ()


def test_today_can_be():
    assert log_of(replace(HERE, clock=datetime.now(UTC) + timedelta(hours=14))).warnings == ()


@pytest.mark.parametrize("number", ["nan", "NaN", "inf", "-inf", "1e400"])
def test_numbers_of_a_table_that_are_none_are_named(tmp_path, number):
    path = tmp_path / "flight.csv"
    path.write_text(f"time_s,latitude,longitude,height_m\n0,48.1,11.7,{number}\n1,{number},11.7,5\n")
    log = read_csv_file(path)
    assert (log.records[0].height_m, log.records[1].place) == (None, None)
    assert {"1 of 2 records have a position that is no number; their position is left out"} < {*log.warnings}
    assert any("a height that cannot be" in warning for warning in log.warnings)


@pytest.mark.parametrize("clock", ["0", "4102444800", "1970-01-01T00:00:00Z", "2100-01-01 00:00:00"])
def test_dates_of_a_table_that_cannot_be_are_named(tmp_path, clock):
    path = tmp_path / "flight.csv"
    path.write_text(f"timestamp,latitude,longitude\n{clock},48.1,11.7\n")
    log = read_csv_file(path)
    assert log.records[0].clock is None
    assert any("a date that cannot be" in warning for warning in log.warnings)


def read(folder, text, **settings):
    (folder / "a.SRT").write_text(text)
    return read_subtitle_file(folder / "a.SRT", **settings)


def test_numbers_of_subtitles_that_are_none_are_named(tmp_path):
    log = read(tmp_path, subtitles("[latitude: nan] [longitude: 2.2] [rel_alt: inf abs_alt: 130]", "GPS(NaN, nan, 0)"))
    assert [(record.place, record.height_m) for record in log.records] == [(None, None)] * 2
    assert any("2 of 2 records have a position that is no number" in warning for warning in log.warnings)
    assert any("a height that cannot be, inf m" in warning for warning in log.warnings)


def test_a_clock_that_was_not_yet_set_times_no_record(tmp_path):
    texts = [f"{day} 14:11:5{n},393\n[latitude : -20.2533] [longtitude : 149.0251]" for n, day in enumerate(DAYS)]
    log = read(tmp_path, subtitles(*texts, has_times=False))
    assert [record.time_s for record in log.records] == [None, 0, 1]


DAYS = ("1970-01-01", "2017-08-05", "2017-08-05")


@pytest.mark.parametrize(
    ("text", "asked", "because"),
    [
        (MINI.format(pair="-21.7458, 48.0771", n=7), "lat-lon", "as where the third number counts satellites"),
        ("GPS(36.6146,-6.1120,0.0M) BAROMETER:0.3M", "lon-lat", "as where the third number is in metres"),
        ("GPS(N: 40.768574, W: 9.339287, 2371.76m)", "lon-lat", "as their letters say"),
        (
            RTK.format(pair="-58.851745, -34.237922", home="-58.847509, -34.232707", distance="698.70"),
            "lat-lon",
            "as the distance from HOME shows",
        ),
    ],
)
def test_an_order_of_coordinates_that_is_asked_for_against_the_evidence_is_named(tmp_path, text, asked, because):
    log = read(tmp_path, subtitles(text), gps_order=asked)
    assert log.records[0].place is not None
    (said,) = [warning for warning in log.warnings if "--gps-order" in warning]
    assert said.endswith(because)
    other = "lon-lat" if asked == "lat-lon" else "lat-lon"
    assert not any("--gps-order" in warning for warning in read(tmp_path, subtitles(text), gps_order=other).warnings)
