"""What telemetry or a declaration adds to a build: the start, how people were seen, and where they stood."""

import math
from dataclasses import replace

import pytest

from skyreid.building.build import build
from skyreid.building.sources import parse_source
from skyreid.datasets.manifest import read_manifest
from skyreid.errors import SourceError, TelemetryError
from tests.building.test_build import write_source
from tests.telemetry.subtitles import subtitles

FLIGHT = (
    "2026-05-04 12:00:0{n}.000\n[iso: 100] [focal_len: 24.00] [latitude: 41.500000] [longitude: 2.250000] "
    "[rel_alt: 30.000 abs_alt: 90.000] [gb_yaw: 0.0 gb_pitch: -60.0 gb_roll: 0.0]"
)
SEEN = ("camera height, m", "distance, m", "look down, degrees")


def drone(folder, *, text=FLIGHT, name="drone.SRT"):
    source = write_source(folder, "drone", people=(9, 30), platform="aerial")
    (folder / name).write_text(subtitles(*(text.replace("{n}", str(n)) for n in range(2))))
    return source


def built(folder, source):
    report = build([source], folder / "out", masking=None)
    return report, read_manifest(report.manifest_path)


class TestSubtitlesBesideAnAerialVideo:
    """They are read unasked."""

    def test_tell_how_people_were_seen_and_where_they_stood(self, tmp_path):
        report, manifest = built(tmp_path, drone(tmp_path))
        for tracklet in manifest.tracklets:
            seen = [tracklet.attributes[name] for name in SEEN]
            assert seen[0] == 30
            assert seen[1] == pytest.approx(30 / math.sin(math.radians(seen[2])), abs=0.3)
            assert 45 < seen[2] < 75
            assert 41.5 < tracklet.attributes["latitude"] < 41.5004
            assert abs(tracklet.attributes["longitude"] - 2.25) < 0.0003
            assert 6 < tracklet.attributes["position error, m"] < 20
        (source,) = manifest.info["sources"]
        assert (source["start_time"], source["telemetry"]) == (None, "drone subtitles, values in brackets")
        assert any("time_zone=" in note for note in report.sources[0].notes)

    def test_give_the_start_once_the_zone_is_known(self, tmp_path):
        _, manifest = built(tmp_path, replace(drone(tmp_path), time_zone="+02:00"))
        assert manifest.info["sources"][0]["start_time"] == "2026-05-04T12:00:00+02:00"

    def test_that_contradict_a_declared_start_are_named(self, tmp_path):
        given = parse_source("a.mp4,platform=aerial,camera=a,start_time=2026-05-04T11:00:00+02:00").start_time
        report, manifest = built(tmp_path, replace(drone(tmp_path), time_zone="+02:00", start_time=given))
        assert manifest.info["sources"][0]["start_time"] == "2026-05-04T11:00:00+02:00"
        assert any("the telemetry says 2026-05-04T12:00:00+02:00" in note for note in report.sources[0].notes)

    def test_of_people_who_talk_are_passed_over_with_a_note(self, tmp_path):
        report, manifest = built(tmp_path, drone(tmp_path, text="Good morning."))
        assert manifest.tracklets[0].attributes == {}
        assert any(note.startswith("no telemetry: ") for note in report.sources[0].notes)

    def test_are_passed_over_when_asked(self, tmp_path):
        report, manifest = built(tmp_path, replace(drone(tmp_path), telemetry="none"))
        assert manifest.tracklets[0].attributes == {}
        assert not any("telemetry" in note for note in report.sources[0].notes)

    def test_change_no_crop(self, tmp_path):
        source = drone(tmp_path)
        first, _ = built(tmp_path, replace(source, telemetry="none"))
        second, _ = built(tmp_path, source)
        assert (first.data_sha256, second.cut_again) == (second.data_sha256, ())


def test_telemetry_of_another_flight_and_its_impossible_values_stand_in_the_report(tmp_path):
    source = drone(tmp_path, text=FLIGHT.replace("rel_alt: 30.000", "rel_alt: 99999"), name="other.SRT")
    (tmp_path / "other.SRT").write_text((tmp_path / "other.SRT").read_text().replace("00:00:01,", "00:00:54,"))
    report, manifest = built(tmp_path, replace(source, telemetry=tmp_path / "other.SRT"))
    notes = "\n".join(report.sources[0].notes)
    assert "warning: telemetry: 2 of 2 records have a height that cannot be, 99999 m in record 1" in notes
    assert "warning: telemetry: 1 of 2 records lie past the end of the video" in notes
    assert SEEN[0] not in manifest.tracklets[0].attributes


def test_telemetry_that_a_source_names_must_be_readable(tmp_path):
    (tmp_path / "nothing.SRT").touch()
    with pytest.raises(TelemetryError, match="is empty"):
        built(tmp_path, replace(drone(tmp_path), telemetry=tmp_path / "nothing.SRT"))


def test_a_camera_that_stands_may_be_declared(tmp_path):
    gate = write_source(tmp_path, "gate", people=(4, 9))
    said = "latitude=41.5,longitude=2.25,height_m=4,heading=90,pitch=-20,hfov=60"
    declared = parse_source(f"gate.mov,platform=ground,camera=gate,{said}")
    _, manifest = built(tmp_path, replace(gate, standing=declared.standing))
    attributes = manifest.tracklets[0].attributes
    assert attributes["camera height, m"] == 4
    # To the east, since it looks there.
    assert attributes["longitude"] > 2.25
    assert manifest.info["sources"][0]["telemetry"] == "declared"


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("latitude=91,longitude=2", r"latitude is a number from -90 to 90; got '91'"),
        ("latitude=1e1,longitude=2", r"latitude is a number"),
        ("latitude=41", "latitude and longitude go together"),
        ("pitch=-20,telemetry=a.SRT", "or has telemetry, not both"),
        ("telemetry=none,time_zone=UTC", "time_zone is that of the telemetry"),
        ("gps_order=lon", "gps_order is lat-lon or lon-lat"),
        ("altitude_from=ground", "altitude_from is take-off or sea"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(said, complaint):
    with pytest.raises(SourceError, match=complaint):
        parse_source(f"a.mp4,platform=aerial,camera=a,{said}")
