"""Pictures of drones say where they were taken, in EXIF tags and in XMP packets."""

from datetime import UTC, datetime

import pytest
from PIL import ExifTags, Image

from skyreid.errors import TelemetryError
from skyreid.telemetry.picture_tags import read_pictures

XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" drone-dji:AbsoluteAltitude="+132.86" '
    'drone-dji:RelativeAltitude="+30.10" drone-dji:GimbalYawDegree="-91.4" drone-dji:GimbalRollDegree="+0.00">'
    "<drone-dji:GimbalPitchDegree>-90.00</drone-dji:GimbalPitchDegree></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def write_picture(path, *, xmp=XMP, gps=True, second=0, offset=None):
    exif = Image.Exif()
    told = exif.get_ifd(ExifTags.IFD.Exif)
    told[ExifTags.Base.DateTimeOriginal] = f"2026:05:04 12:00:{second:02d}"
    told[ExifTags.Base.FocalLengthIn35mmFilm] = 24
    if offset:
        told[ExifTags.Base.OffsetTimeOriginal] = offset
    if gps:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(
            {
                ExifTags.GPS.GPSLatitudeRef: "S",
                ExifTags.GPS.GPSLatitude: (34.0, 15.0, 36.0),
                ExifTags.GPS.GPSLongitudeRef: "W",
                ExifTags.GPS.GPSLongitude: (58.0, 30.0, 0.0),
                ExifTags.GPS.GPSAltitudeRef: b"\x01",
                ExifTags.GPS.GPSAltitude: 3.5,
            }
        )
    Image.new("RGB", (8, 8)).save(path, exif=exif, **({"xmp": xmp.encode()} if xmp else {}))
    return path


def test_a_picture_of_dji(tmp_path):
    (record,) = read_pictures([write_picture(tmp_path / "a.jpg")], "a.jpg", times_s=[0.0]).records
    assert record.place == pytest.approx((-34.26, -58.5))
    assert (record.height_m, record.altitude_m) == (30.1, 132.86)
    assert (record.gimbal_yaw, record.gimbal_pitch, record.gimbal_roll) == (-91.4, -90, 0)
    assert record.focal_length_mm == 24
    assert record.clock == datetime(2026, 5, 4, 12)


def test_a_picture_below_the_sea_without_a_packet(tmp_path):
    path = write_picture(tmp_path / "a.jpg", xmp=None, offset="+02:00")
    (record,) = read_pictures([path], "a.jpg").records
    assert (record.height_m, record.altitude_m) == (None, -3.5)
    assert record.clock == datetime(2026, 5, 4, 10, tzinfo=UTC)


def test_a_sequence_is_timed_by_its_clocks(tmp_path):
    paths = [write_picture(tmp_path / f"{second}.jpg", second=second) for second in (0, 2, 5)]
    assert [record.time_s for record in read_pictures(paths, "flight").records] == [0, 2, 5]


@pytest.mark.parametrize("xmp", ["<a", '<!DOCTYPE a [<!ENTITY b "c">]><drone-dji>&b;</drone-dji>', XMP[:-9]])
def test_a_damaged_packet_is_named_and_the_rest_read(tmp_path, xmp):
    log = read_pictures([write_picture(tmp_path / "a.jpg", xmp=f"{xmp} drone-dji")], "a.jpg")
    assert log.records[0].place is not None
    assert log.records[0].gimbal_pitch is None
    assert any("damaged" in warning for warning in log.warnings)


def test_pictures_that_say_nothing_are_refused(tmp_path):
    with pytest.raises(TelemetryError, match="no picture says where it was taken"):
        read_pictures([write_picture(tmp_path / "a.jpg", xmp=None, gps=False)], "a.jpg")
