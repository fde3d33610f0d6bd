import base64
import io
import re

import pytest
from PIL import Image

from skyreid.errors import MissingFrameError
from skyreid.retrieval.contact_sheet import write_contact_sheet
from skyreid.retrieval.ranked_list import RankedTracklet
from skyreid.tracklet import Platform

HOSTILE = """"><script>window.pwn=1</script>'"""


def test_a_contact_sheet_is_one_file_with_every_picture_inside(tmp_path, paint_tracklet):
    path = tmp_path / "sheet.html"
    found = paint_tracklet("found", platform=Platform.AERIAL)
    ranked = [RankedTracklet(tracklet=found, similarity=0.5), RankedTracklet(tracklet=found, similarity=0.4)]
    write_contact_sheet(path, "Who is it?", paint_tracklet("asked"), ranked, num_searched=18_204, notice="Synthetic")
    page = path.read_text(encoding="utf-8")
    sources = re.findall(r'src="([^"]*)"', page)
    assert len(sources) == 3
    for source in sources:
        picture = Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))))
        assert picture.format == "JPEG"
    assert "The 2 most similar of 18,204 tracklets, every one compared." in page
    assert "A ranking is not an identification." in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_tracklet_id_never_becomes_markup(tmp_path, paint_tracklet):
    path = tmp_path / "sheet.html"
    ranked = [RankedTracklet(tracklet=paint_tracklet(HOSTILE), similarity=0.5)]
    write_contact_sheet(path, HOSTILE, paint_tracklet(HOSTILE), ranked, num_searched=1, notice=HOSTILE)
    assert "<script" not in path.read_text(encoding="utf-8")


def test_a_missing_frame_leaves_the_older_sheet_as_it_was(tmp_path, paint_tracklet):
    path = tmp_path / "sheet.html"
    path.write_text("older")
    found = paint_tracklet("found")
    (tmp_path / "frames" / "0.png").unlink()
    with pytest.raises(MissingFrameError, match="tracklet found: frame"):
        write_contact_sheet(
            path, "t", paint_tracklet(), [RankedTracklet(tracklet=found, similarity=0.0)], num_searched=1
        )
    assert path.read_text() == "older"
