"""Whatever lies at a path is read as what it is."""

import pytest

from skyreid.building.flight_telemetry import read_telemetry
from skyreid.errors import TelemetryError
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
