"""Originals: cut from the video that was added and no other, for a reason, and fetched once."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skyreid.cases.keeping.originals import WAITS_S, OncePictures, check_reason, draw_originals
from skyreid.cases.tracklets import read_tracklets
from skyreid.errors import CaseError, RefusedError, SettingError
from skyreid.files.regular_file import file_sha256
from skyreid.simulation.world import encode_video

RED, GREEN = (220, 30, 30), (20, 160, 40)


@pytest.fixture
def film(tmp_path):
    """A red person of 40 by 80 pixels on green, in four frames."""
    picture = np.full((720, 1280, 3), GREEN, dtype=np.uint8)
    picture[100:180, 200:240] = RED
    path = tmp_path / "a.mp4"
    path.write_bytes(encode_video([picture] * 4, 2))
    return path


@pytest.fixture
def seen(case, film):
    """The first tracklet, as if it were cut from the film."""
    one = read_tracklets(case)[0]
    frames = tuple(
        replace(frame, index=index, box=(200.0, 100.0, 240.0, 180.0)) for index, frame in enumerate(one.tracklet.frames)
    )
    source = replace(one.source, path=str(film), sha256=file_sha256(film))
    return replace(one, tracklet=replace(one.tracklet, frames=frames), source=source)


def test_the_person_is_shown_as_the_video_has_them_without_metadata(case, seen):
    jpeg = draw_originals(case, seen)
    assert b"Exif" not in jpeg
    drawn = np.asarray(Image.open(io.BytesIO(jpeg), formats=["JPEG"]).convert("RGB")).astype(int)
    height, width = drawn.shape[:2]
    assert abs(drawn[height // 2, width // 4] - RED).max() < 40 and abs(drawn[height // 2, 2] - GREEN).max() < 40


def test_another_video_or_none_is_no_original(case, seen, film):
    film.write_bytes(film.read_bytes() + b"\0")
    with pytest.raises(RefusedError, match=r"a\.mp4: another video lies where it was"):
        draw_originals(case, seen)
    for path in (None, str(film.parent / "gone.mp4")):
        with pytest.raises(CaseError, match=r"is not where it was") as gone:
            draw_originals(case, replace(seen, source=replace(seen.source, path=path)))
        assert str(film.parent) not in str(gone.value)


@pytest.mark.parametrize("reason", ["", " " * 20, "because", "x" * 501, "court order\u202e 12/26"])
def test_what_is_no_reason_is_refused(reason):
    with pytest.raises(SettingError, match="originals are shown for a reason"):
        check_reason(reason)
    assert check_reason(" court order 12/26 ") == "court order 12/26"


def test_a_picture_is_given_once_to_its_owner_and_does_not_wait_for_long():
    now = 0.0
    waiting = OncePictures(clock=lambda: now)
    waiting.put("anna", b"1")
    assert waiting.take("bert") is None and waiting.take("anna") == b"1" and waiting.take("anna") is None
    waiting.put("anna", b"2")
    now = WAITS_S + 1
    assert waiting.take("anna") is None
