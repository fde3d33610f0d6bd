"""Whatever lies at a path is read as what it is."""

import pytest

from skyreid.building.flight_telemetry import TelemetryReading, read_telemetry
from skyreid.errors import TelemetryError
from skyreid.telemetry.flight_log import zone_of
from tests.building.films import smooth, write_film, write_film_beside, write_film_with_dji_binary
from tests.telemetry.klv_packets import flight, packet
from tests.telemetry.subtitles import MINI, subtitles
from tests.telemetry.test_picture_tags import write_picture

PLACE = (48.0771, -121.7458)


def test_a_table_and_subtitles_are_told_apart_by_their_content(tmp_path):
    (tmp_path / "a.txt").write_text("time_s,latitude,longitude\n0,48.0771,-121.7458\n")
    (tmp_path / "b.txt").write_text(subtitles(MINI.format(pair="-121.7458, 48.0771", n=7)))
    assert [read_telemetry(tmp_path / name).records[0].place for name in ("a.txt", "b.txt")] == [PLACE, PLACE]


def test_a_folder_of_pictures_is_timed_as_its_film(tmp_path):
    for number, second in ((9, 1), (10, 2), (11, 10)):
        write_picture(tmp_path / f"{number}.jpg", second=second)
    assert [record.time_s for record in read_telemetry(tmp_path).records] == [0, 1, 9]
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nframeRate=2\n")
    assert [record.time_s for record in read_telemetry(tmp_path).records] == [0, 0.5, 1]


def test_a_folder_that_is_no_film_says_so(tmp_path):
    for number in (1, 2, 10):
        write_picture(tmp_path / f"{number}.jpg", second=number)
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nframeRate=2\n")
    log = read_telemetry(tmp_path)
    assert [record.time_s for record in log.records] == [0, 1, 9]
    assert log.warnings[0].startswith("this is no film")


def test_one_picture(tmp_path):
    assert read_telemetry(write_picture(tmp_path / "a.jpg")).records[0].time_s == 0


@pytest.mark.parametrize("name", ["nothing", ".", "broken.jpg"])
def test_what_cannot_be_read_is_refused(tmp_path, name):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(99))
    with pytest.raises(TelemetryError):
        read_telemetry(tmp_path / name)


class TestOfAVideo:
    """A log beside a video, or in its streams."""

    TEXTS = tuple(MINI.format(pair="-121.7458, 48.0771", n=n) for n in (1, 2))

    @pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mov_text"), ("mkv", "subrip")])
    def test_a_subtitle_stream(self, tmp_path, suffix, codec):
        packets = [text.encode() for text in self.TEXTS]
        if codec == "mov_text":
            packets = [len(packet).to_bytes(2, "big") + packet for packet in packets]
        video = write_film_beside(tmp_path / f"flight.{suffix}", smooth(20), packets, codec=codec)
        log = read_telemetry(video)
        assert [(record.time_s, record.height_m) for record in log.records] == [(0, 200.1), (1, 200.2)]
        assert log.records[0].place == PLACE

    def test_klv_in_a_transport_stream(self, tmp_path):
        packets = [packet(flight(1_777_896_000_000_000, 41.5 + n, -2.25)) for n in (0, 1)]
        video = write_film_beside(tmp_path / "flight.ts", smooth(20), packets, codec="klv")
        log = read_telemetry(video)
        assert [record.latitude for record in log.records] == pytest.approx([41.5, 42.5])
        assert [record.time_s for record in log.records] == pytest.approx([0, 1], abs=0.05)

    @pytest.mark.parametrize("name", ["flight.SRT", "flight.srt"])
    def test_subtitles_beside_it_and_records_past_its_end(self, tmp_path, name):
        video = write_film(tmp_path / "flight.mp4", smooth(20), codec="mpeg4")
        (tmp_path / name).write_text(subtitles(*self.TEXTS * 3))
        log = read_telemetry(video)
        assert log.records[0].place == PLACE
        assert any("2 of 6 records lie past the end of the video, which lasts 2.00 s" in one for one in log.warnings)

    def test_every_picture_has_its_footprint_where_the_geometry_is_told(self, tmp_path):
        video = write_film(tmp_path / "flight.mp4", smooth(20, height=72, width=128), codec="mpeg4")
        angles = ("gb_yaw: 0 gb_pitch: -45 gb_roll: 0", "gb_yaw: 0 gb_pitch: -10 gb_roll: 0")
        text = "[focal_len: 24.00] [latitude: 41.5] [longitude: 2.25] [rel_alt: 30 abs_alt: 90] [{}]"
        (tmp_path / "flight.SRT").write_text(subtitles(*(text.format(one) for one in angles)))
        down, with_sky = read_telemetry(video).records
        north_west, north_east, south_east, south_west = down.corners
        assert north_west[0] == north_east[0] > south_east[0] == south_west[0] > 41.5
        assert north_west[1] < south_west[1] < 2.25 < south_east[1] < north_east[1]
        assert with_sky.corners is None

    def test_a_table_beside_it_that_is_no_flight_is_passed_over(self, tmp_path):
        video = write_film(tmp_path / "flight.mp4", smooth(20), codec="mpeg4")
        (tmp_path / "flight.csv").write_text("frame,id,left,top\n1,7,3,4\n")
        with pytest.raises(TelemetryError, match=r"has no telemetry, neither beside it \(flight.SRT or .csv\)"):
            read_telemetry(video)

    @pytest.mark.parametrize("handler", [b"SubtitleHandler", b"DJI meta"])
    def test_the_binary_telemetry_of_dji_is_named_with_its_remedy(self, tmp_path, handler):
        video = write_film_with_dji_binary(tmp_path / "flight.mp4", smooth(20), handler=handler)
        with pytest.raises(TelemetryError, match=r"carries DJI's binary telemetry \(a djmd stream\).* as flight\.SRT"):
            read_telemetry(video)
        (tmp_path / "flight.SRT").write_text(subtitles(*self.TEXTS))
        assert read_telemetry(video).records[0].place == PLACE

    @pytest.mark.parametrize(
        ("records", "said"),
        [
            (54, "50 of 54 records lie past the end of the video, which lasts 2.00 s: is this the log of another"),
            (3, None),
            (2, None),
        ],
    )
    def test_the_log_of_a_longer_recording_is_named(self, tmp_path, records, said):
        video = write_film(tmp_path / "flight.mp4", smooth(20), codec="mpeg4")
        text = MINI.format(pair="-121.7458, 48.0771", n=1)
        (tmp_path / "flight.SRT").write_text(subtitles(*[text] * records))
        warnings = read_telemetry(video).warnings
        assert any(said in one for one in warnings) if said else not any("recording" in one for one in warnings)

    def test_the_log_of_a_shorter_recording_is_named(self, tmp_path):
        video = write_film(tmp_path / "flight.mp4", smooth(80), codec="mpeg4")
        (tmp_path / "flight.SRT").write_text(subtitles(*self.TEXTS))
        (said,) = [one for one in read_telemetry(video).warnings if "ends after" in one]
        assert said == "telemetry ends after 1.0 s of the video's 8.0 s: is this the log of another recording?"


@pytest.mark.parametrize(
    ("text", "reading", "said"),
    [
        ("time_s,latitude,longitude\n0,48.1,-121.7\n", {"gps_order": "lat-lon"}, "--gps-order is not used"),
        ("time_s,latitude,longitude\n0,48.1,-121.7\n", {"altitude_from": "sea"}, "--altitude-from is not used"),
        ("time_s,latitude,longitude\n0,48.1,-121.7\n", {"time_zone": zone_of("UTC")}, "--time-zone is not used"),
        (
            subtitles("[latitude: 48.1] [longitude: -121.7] [rel_alt: 30 abs_alt: 90]"),
            {"altitude_from": "take-off"},
            "counts from the sea; --altitude-from take-off is not used",
        ),
        (subtitles("[latitude: 48.1] [longitude: -121.7]"), {"gps_order": "lat-lon"}, "it is not used"),
    ],
)
def test_what_a_person_says_and_the_file_leaves_no_room_for_is_named(tmp_path, text, reading, said):
    (tmp_path / "flight.txt").write_text(text)
    warnings = read_telemetry(tmp_path / "flight.txt", TelemetryReading(**reading)).warnings
    assert any(said in warning for warning in warnings)
