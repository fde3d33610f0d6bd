import re
from dataclasses import replace

import pytest

from skyreid.errors import MissingFrameError
from skyreid.pages.pair_page import write_pair_page
from tests.building.linking.folders import seen, write_folder


def test_both_tracklets_are_in_the_one_file_with_the_notice(tmp_path):
    gate, roof = write_folder(tmp_path, [seen("gate-a-0001"), seen("roof-a-0001")])
    write_pair_page(tmp_path / "link" / "pair.html", gate, roof)
    page = (tmp_path / "link" / "pair.html").read_text()
    assert len(re.findall(r'src="data:image/jpeg;base64,', page)) == 2
    assert "gate-a-0001" in page
    assert "roof-a-0001" in page
    assert "Similarity of appearance only, not proof of identity." in page


def test_a_tracklet_id_never_becomes_markup(tmp_path):
    gate, roof = write_folder(tmp_path, [seen("gate-a-0001"), seen("roof-a-0001")])
    write_pair_page(tmp_path / "pair.html", replace(gate, tracklet_id='"><script>'), roof)
    assert "<script" not in (tmp_path / "pair.html").read_text()


def test_a_missing_crop_is_named(tmp_path):
    gate, roof = write_folder(tmp_path, [seen("gate-a-0001"), seen("roof-a-0001")])
    (tmp_path / "crops/roof-a-0001/0.png").unlink()
    with pytest.raises(MissingFrameError, match="tracklet roof-a-0001: frame"):
        write_pair_page(tmp_path / "pair.html", gate, roof)
