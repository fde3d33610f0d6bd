import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from skyreid.errors import MissingFrameError
from skyreid.pages.frame_strip import FrameStrip, draw_frame_strip, read_frame, spread_frames
from skyreid.tracklet import Frame, Platform, Tracklet


def decoded(strip: FrameStrip) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(strip.jpeg))).astype(int)


@given(total=st.integers(1, 200), count=st.integers(1, 20))
def test_shown_frames_are_the_first_of_equal_parts_in_time_order(total, count):
    frames = tuple(Frame(path=str(number)) for number in range(total))
    tracklet = Tracklet(tracklet_id="t", frames=frames, pid=1, camid=0, platform=Platform.GROUND)
    shown = [int(frame.path) for frame in spread_frames(tracklet, count)]
    assert len(shown) == len(set(shown)) == min(total, count)
    assert shown == sorted(shown)
    assert shown[0] == 0
    assert max(np.diff([*shown, total])) - min(np.diff([*shown, total])) <= 1


def test_frames_stand_side_by_side_in_time_order(paint_tracklet):
    strip = draw_frame_strip(paint_tracklet(colours=("red", "lime", "blue")), height=80, width=400)
    assert (strip.width, strip.height) == (3 * 40 + 2 * 2, 80)
    pixels = decoded(strip)
    assert pixels.shape == (80, strip.width, 3)
    strongest = [pixels[40, left + 20].argmax() for left in (0, 42, 84)]
    assert strongest == [0, 1, 2]


def test_as_many_frames_are_shown_as_fit(paint_tracklet):
    narrow = paint_tracklet(colours=("red",) * 30, size=(20, 80))
    wide = paint_tracklet(colours=("red",) * 30, size=(100, 80))
    assert draw_frame_strip(narrow, height=160, width=240).width == 5 * 40 + 4 * 2
    assert draw_frame_strip(wide, height=160, width=240).width == 200


def test_a_very_wide_frame_is_fitted_in_whole(paint_tracklet):
    strip = draw_frame_strip(paint_tracklet(colours=("red",), size=(400, 40)), height=100, width=240)
    pixels = decoded(strip)
    assert strip.width == 140
    assert pixels[50, 70].argmax() == 0
    assert np.ptp(pixels[5, 70]) < 10  # grey above


def test_a_strip_is_its_own_address(paint_tracklet):
    strip = draw_frame_strip(paint_tracklet())
    kind, content = strip.data_uri.split(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(content) == strip.jpeg


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_missing_or_broken_frame_is_refused_by_name(paint_tracklet, tmp_path, content):
    path = tmp_path / "frame.png"
    if content is not None:
        path.write_bytes(content)
    tracklet = replace(paint_tracklet("t7"), frames=(Frame(path=str(path)),))
    message = f"tracklet t7: frame {path}: "
    with pytest.raises(MissingFrameError, match=f"^{re.escape(message)}"):
        draw_frame_strip(tracklet)


def test_a_picture_cut_short_is_refused(paint_tracklet):
    tracklet = paint_tracklet("t7", size=(200, 400))
    path = Path(tracklet.frames[0].path)
    Image.effect_noise((200, 400), 50).save(path)
    path.write_bytes(path.read_bytes()[:5_000])
    with pytest.raises(MissingFrameError, match=r"tracklet t7: frame .*: cannot be read as"):
        draw_frame_strip(tracklet)


def test_a_frame_is_scaled_to_the_height_and_a_wide_one_is_fitted_in(paint_tracklet):
    tall, wide = paint_tracklet(size=(20, 40)), paint_tracklet(size=(400, 40))
    assert read_frame(tall.frames[0], tall, 100).size == (50, 100)
    assert read_frame(wide.frames[0], wide, 100).size == (140, 14)


def test_a_tiny_crop_is_enlarged_three_times_and_no_more(paint_tracklet):
    """Kind C11: a page never shows pixels that nobody filmed."""
    tiny = paint_tracklet(size=(10, 20), colours=("red",))
    assert read_frame(tiny.frames[0], tiny, 160).size == (30, 60)
    strip = draw_frame_strip(tiny, height=160, width=240)
    assert (strip.width, strip.height) == (30, 160)
