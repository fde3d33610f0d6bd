"""Subtitle files of drones: every style is read to the values that a person reads in it, and nothing is guessed."""

from datetime import datetime

import pytest

from skyreid.errors import TelemetryError
from skyreid.telemetry.dji_subtitles import read_subtitle_file
from tests.telemetry.subtitles import BRACKETS, LINES, MINI, RTK, subtitles


def read(folder, text, encoding="utf-8", **options):
    path = folder / "flight.SRT"
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return read_subtitle_file(path, **options)


def places(log):
    return [(record.latitude, record.longitude) for record in log.records]


def test_values_in_brackets_with_both_heights(tmp_path):
    altitude = "[rel_alt: 1.{n}00 abs_alt: 132.860] [gb_yaw: 8.5 gb_pitch: -20.1 gb_roll: 0.0]"
    log = read(tmp_path, subtitles(*(BRACKETS.replace("{altitude}", altitude).format(n=n) for n in (1, 2))))
    first, second = log.records
    assert (first.time_s, second.time_s) == (0, 1)
    assert first.clock == datetime(2022, 8, 7, 13, 40, 41, 774808)
    assert places(log) == [(41.424721, 2.234156), (41.424722, 2.234156)]
    assert (second.height_m, second.altitude_m, log.altitude_from) == (1.2, 132.86, "sea")
    assert (first.gimbal_yaw, first.gimbal_pitch, first.gimbal_roll) == (8.5, -20.1, 0)
    assert first.focal_length_mm == 24
    assert log.warnings == ()


def test_a_plain_altitude_is_given_as_written_and_its_meaning_asked_for(tmp_path):
    text = subtitles(BRACKETS.format(n=1, altitude="[altitude: 117.000000]"))
    log = read(tmp_path, text)
    assert (log.records[0].altitude_m, log.records[0].height_m, log.altitude_from) == (117, None, "not told")
    assert any("--altitude-from" in warning for warning in log.warnings)
    log = read(tmp_path, text, altitude_from="take-off")
    assert (log.records[0].height_m, log.altitude_from, log.warnings) == (117, "take-off", ())


@pytest.mark.parametrize(("spelling", "prefix"), [("longtitude : ", ""), ("longitude : ", ""), ("lon:", "")])
def test_the_longitude_may_be_misspelt(tmp_path, spelling, prefix):
    text = BRACKETS.format(n=1, altitude="").replace("longitude: ", spelling)
    assert places(read(tmp_path, subtitles(text))) == [(41.424721, 2.234156)]


def test_letters_and_units_behind_values_in_brackets(tmp_path):
    text = "[latitude: 34.1 S] [longitude: 58.5 W] [rel_alt: 2 m] [abs_alt: 12 m]"
    log = read(tmp_path, subtitles(text))
    assert places(log) == [(-34.1, -58.5)]
    assert (log.records[0].height_m, log.records[0].altitude_m) == (2, 12)


def test_what_a_drone_without_a_fix_calls_not_available_is_not_told(tmp_path):
    text = "F/2.8, SS 2000, ISO 100, EV 0, GPS (n/a, n/a, 0), D n/a, H n/a, H.S n/a, V.S n/a "
    (record,) = read(tmp_path, subtitles(text)).records
    assert (record.place, record.height_m) == (None, None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_encoding_and_line_end_gives_the_same(tmp_path, encoding, line_end):
    text = subtitles(RTK.format(pair="-58.851745, -34.237922", home="-58.847509, -34.232707", distance="698.70"))
    log = read(tmp_path, text.replace("\n", line_end), encoding)
    assert places(log) == [(-34.237922, -58.851745)]
    record = log.records[0]
    assert (record.aircraft_pitch, record.aircraft_roll, record.aircraft_yaw) == (2.7, -7.0, 110.1)
    assert (record.gimbal_pitch, record.gimbal_roll, record.gimbal_yaw) == (-24.4, 0.5, 110.4)
    assert record.height_m == 85.8


@pytest.mark.parametrize(
    "text",
    [
        MINI.format(pair="-121,7458, 48,0771", n=7).replace("221.21", "221,21").replace("200.70", "200,70"),
        LINES.format(home="-121,7451,48,0771", pair="-121,7458,48,0771", n=1, height="Hb:200,7 Hs:3,1"),
    ],
)
def test_decimal_commas(tmp_path, text):
    log = read(tmp_path, subtitles(text))
    assert places(log) == [(48.0771, -121.7458)]
    assert log.records[0].height_m == 200.7


def test_feet_become_metres(tmp_path):
    log = read(tmp_path, subtitles(MINI.format(pair="-121.7458, 48.0771", n=0).replace("H 200.00m", "H 100ft")))
    assert log.records[0].height_m == pytest.approx(30.48)


@pytest.mark.parametrize("height", ["Hb:1.9 Hs:0.3", "BAROMETER:1.9", "BAROMETER:1.9M", "BAROMETER(1.9)"])
def test_the_barometer_tells_the_height_above_take_off(tmp_path, height):
    text = LINES.format(home="149.0251,-20.2532", pair="149.0251,-20.2533", n=1, height=height)
    log = read(tmp_path, subtitles(text, first_s=1))
    assert places(log) == [(-20.2533, 149.0251)]
    assert (log.records[0].time_s, log.records[0].height_m, log.records[0].altitude_m) == (1, 1.9, None)
    assert log.records[0].clock == datetime(2017, 8, 5, 14, 11, 51)


class TestTheOrderOfTwoCoordinates:
    """GPS(a, b, c) is of one order in one drone, of the other in another."""

    @pytest.mark.parametrize(
        ("text", "place", "because"),
        [
            ("GPS(149.02,-20.25,16) BAROMETER:1", (-20.25, 149.02), "exceeds 90"),
            ("GPS(-20.25,149.02,16) BAROMETER:1", (-20.25, 149.02), "exceeds 90"),
            ("GPS(36.6146,-6.1120,0.0M) BAROMETER:0.3M", (36.6146, -6.112), "in metres"),
            ("GPS (2.1621, 41.4206, 14), H 5.0m", (41.4206, 2.1621), "counts satellites"),
            ("GPS(W: 9.339287, N: 40.768574, 2371.76m)", (40.768574, -9.339287), "letters"),
            (
                RTK.format(pair="-58.851745, -34.237922", home="-58.847509, -34.232707", distance="698.70"),
                (-34.237922, -58.851745),
                "distance from HOME",
            ),
            (
                RTK.format(pair="-34.237922, -58.851745", home="-34.232707, -58.847509", distance="698.70"),
                (-34.237922, -58.851745),
                "distance from HOME",
            ),
        ],
    )
    def test_shows_in_the_file(self, tmp_path, text, place, because):
        log = read(tmp_path, subtitles(text))
        assert places(log) == [place]
        assert because in log.style

    def test_is_asked_for_where_nothing_shows_it(self, tmp_path):
        text = subtitles("GPS(39.906217,16.391305,69.800) BAROMETER:91.2")
        log = read(tmp_path, text)
        assert places(log) == [(None, None)]
        assert (log.records[0].height_m, log.records[0].altitude_m) == (91.2, 69.8)
        assert any("--gps-order lat-lon or --gps-order lon-lat says it" in warning for warning in log.warnings)
        assert places(read(tmp_path, text, gps_order="lat-lon")) == [(39.906217, 16.391305)]

    def test_cannot_be_asked_for_against_the_values(self, tmp_path):
        with pytest.raises(TelemetryError, match=r"order lat-lon: a latitude would be 149\.02"):
            read(tmp_path, subtitles("GPS(149.02,-20.25,16) H 1.0m"), gps_order="lat-lon")


def test_the_number_of_satellites_is_no_altitude(tmp_path):
    assert read(tmp_path, subtitles(MINI.format(pair="-121.7458, 48.0771", n=7))).records[0].altitude_m is None


def test_a_file_without_cue_times_counts_its_clock(tmp_path):
    texts = [f"2017.08.05 14:11:5{n},393,525\n[latitude : -20.2533] [longtitude : 149.0251]" for n in (1, 2, 4)]
    log = read(tmp_path, subtitles(*texts, has_times=False))
    assert [record.time_s for record in log.records] == [0, 1, 3]
    assert any("no times" in warning for warning in log.warnings)


def test_no_fix_is_no_position(tmp_path):
    texts = [MINI.format(pair=pair, n=7) for pair in ("0.0000, 0.0000", "-121.7458, 48.0771", "n/a, n/a")]
    log = read(tmp_path, subtitles(*texts))
    assert places(log) == [(None, None), (48.0771, -121.7458), (None, None)]
    assert any("there was no fix" in warning for warning in log.warnings)


def test_a_file_without_a_position_is_read(tmp_path):
    log = read(tmp_path, subtitles("[iso : 100] [shutter : 1/80.0] [fnum : 280] [ev : 0] [ct : 5744]"))
    assert places(log) == [(None, None)]
    assert "no record has a position" in log.warnings


class TestATruncatedFile:
    """Gives the records before the cut, and says so."""

    @pytest.mark.parametrize(
        "text",
        [
            MINI.format(pair="-121.7458, 48.0771", n=7),
            LINES.format(home="149.0251,-20.2532", pair="149.0251,-20.2533", n=1, height="Hb:1.9 Hs:1.9"),
            RTK.format(pair="-58.851745, -34.237922", home="-58.847509, -34.232707", distance="698.70"),
            BRACKETS.format(n=1, altitude="[rel_alt: 1.300 abs_alt: 132.860]"),
        ],
    )
    def test_at_any_byte(self, tmp_path, text):
        whole = subtitles(text, text, text).encode()
        expected = read(tmp_path, whole).records
        third = whole.index(b"\n3\n") + 1
        for end in range(third, len(whole) + 1):
            log = read(tmp_path, whole[:end])
            assert log.records[:2] == expected[:2]
            # Behind the last number of a record, nobody can tell.
            assert log.records[2:] in ((), expected[2:]) or _values(log.records[2]) == _values(expected[2])

    def test_says_where_it_ends(self, tmp_path):
        whole = subtitles(*(MINI.format(pair="-121.7458, 48.0771", n=n) for n in (1, 2, 3)))
        log = read(tmp_path, whole[: whole.index("H 200.30m") + 4])
        assert len(log.records) == 2
        assert log.warnings[0] == "the file ends in the middle of record 3, which is left out"

    def test_names_a_record_that_is_torn_in_its_middle(self, tmp_path):
        texts = [BRACKETS.format(n=n, altitude="[altitude: 7]") for n in (1, 2, 3)]
        texts[1] = texts[1][: texts[1].index("[latitude") + 5]
        log = read(tmp_path, subtitles(*texts))
        assert [record.time_s for record in log.records] == [0, 2]
        assert "numbers 2" in log.warnings[0]


def _values(record):
    return record.time_s, record.latitude, record.longitude, record.height_m


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (bytes(99), "is no text"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nGood morning.\n", "without a complete record .* says 'Good morning.'"),
        (b"nothing of the kind\n", "is neither a file of subtitles nor a table"),
        (b"1\n00:00:00,000 --> 00:00:01,000\n[latitude: 41.4", "without a complete record"),
        (b"[" * 10**6, "is neither a file of subtitles nor a table"),
    ],
)
def test_what_is_no_telemetry_is_refused(tmp_path, content, complaint):
    with pytest.raises(TelemetryError, match=complaint):
        read(tmp_path, content)
