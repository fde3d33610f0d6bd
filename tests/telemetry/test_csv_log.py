"""Tables of flights by the names that exporters give their columns."""

from datetime import UTC, datetime

import pytest

from skyreid.errors import TelemetryError
from skyreid.telemetry.csv_log import read_csv_file

AIRDATA = (
    "time(millisecond),datetime(utc),latitude,longitude,height_above_takeoff(feet),altitude_above_seaLevel(feet),"
    "satellites,compass_heading(degrees), pitch(degrees), roll(degrees),isPhoto,isVideo,gimbal_heading(degrees),"
    "gimbal_pitch(degrees),message\n"
)


def airdata(*is_video):
    rows = (
        f"{n}00,2026-05-04 12:00:0{n},41.5,-2.25,100,1100,17,90,1,2,0,{video},95,-30,\n"
        for n, video in enumerate(is_video)
    )
    return AIRDATA + "".join(rows)


def read(folder, text, encoding="utf-8", **options):
    path = folder / "flight.csv"
    path.write_bytes(text.encode(encoding))
    return read_csv_file(path, **options)


def test_airdata_counts_feet_and_says_when_the_video_ran(tmp_path):
    log = read(tmp_path, airdata(0, 0, 1, 1, 0))
    first, third = log.records[0], log.records[2]
    assert (first.time_s, third.time_s) == (-0.2, 0)
    assert third.clock == datetime(2026, 5, 4, 12, 0, 2, tzinfo=UTC)
    assert third.place == (41.5, -2.25)
    assert third.height_m == pytest.approx(30.48)
    assert third.altitude_m == pytest.approx(335.28)
    assert (third.gimbal_yaw, third.gimbal_pitch, third.aircraft_yaw, third.aircraft_pitch) == (95, -30, 90, 1)
    assert log.altitude_from == "sea"
    assert "time_s counts from row 3, where the table says that a video begins" in log.warnings


def test_two_videos_in_one_table_are_named(tmp_path):
    log = read(tmp_path, airdata(1, 0, 1))
    assert log.records[0].time_s == 0
    assert any("2 recordings, which begin in rows 1, 3" in warning for warning in log.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "time_s,latitude,longitude,height_m,gimbal_pitch\n0,41.5,-2.25,30,-45\n0.5,41.5,-2.25,31,-45\n",
        "sep=;\r\ntime_s;lat;lon;height (m);gimbal_pitch\r\n0;41,5;-2,25;30;-45\r\n0,5;41,5;-2,25;31;-45\r\n",
        "# by hand\ntime [ms]\tLatitude\tLng\trel_alt\tgb_pitch\n0\t41.5\t-2.25\t30\t-45\n500\t41.5\t-2.25\t31\t-45\n",
        "OSD.flyTime [s],OSD.latitude,OSD.longitude,OSD.height [m],GIMBAL.pitch\n"
        "0,41.5,-2.25,30,-45\n0.5,41.5,-2.25,31,-45\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_spelling_gives_the_same(tmp_path, text, encoding):
    first, second = read(tmp_path, text, encoding).records
    assert (first.time_s, second.time_s) == (0, 0.5)
    assert (first.place, first.height_m, second.height_m, first.gimbal_pitch) == ((41.5, -2.25), 30, 31, -45)


def test_a_plain_altitude_is_asked_for(tmp_path):
    text = "time_s,latitude,longitude,altitude(feet)\n0,41.5,-2.25,100\n"
    assert any("--altitude-from" in warning for warning in read(tmp_path, text).warnings)
    assert read(tmp_path, text, altitude_from="take-off").records[0].height_m == pytest.approx(30.48)


def test_what_is_no_number_is_not_told(tmp_path):
    log = read(tmp_path, "time_s,latitude,longitude\n0,n/a,\n1,nan,1e999\n2,0,0\n3,41.5,-2.25\n")
    assert [record.place for record in log.records] == [None, None, None, (41.5, -2.25)]


@pytest.mark.parametrize("clock", ["2026-05-04T12:00:00Z", "1777896000", "1777896000000", "2026-05-04T14:00:00+02:00"])
def test_clocks_of_every_form(tmp_path, clock):
    log = read(tmp_path, f"timestamp,latitude,longitude\n{clock},41.5,-2.25\n")
    assert log.records[0].clock == datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("end", ["2,41.5,-2.2", "2,41.5,", "2,41.5", "2,"])
def test_a_row_that_is_cut_off_is_left_out(tmp_path, end):
    log = read(tmp_path, f"time_s,latitude,longitude\n0,41.5,-2.25\n1,41.5,-2.25\n{end}")
    assert [record.place for record in log.records if record.place] == [(41.5, -2.25)] * 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("name,colour\nanna,red\n", "without a column of positions"),
        ("time_s,latitude,longitude\n", "holds no record"),
        ("#\n#\n", "has a line of names"),
        ('latitude,longitude\n"' + "1" * 200_000, "is no table"),
    ],
)
def test_what_is_no_flight_is_refused(tmp_path, text, complaint):
    with pytest.raises(TelemetryError, match=complaint):
        read(tmp_path, text)
