import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skyreid.errors import MissingFrameError
from skyreid.pages.report.attention_strip import AttentionStrip, attention_section, heat_overlay
from skyreid.tracklet import Platform
from tests.pages.report.small_world import HOSTILE, paint


def pictures(html):
    encoded = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).astype(int) for text in encoded]


def test_a_picture_is_brightest_where_the_model_looked():
    heat = np.zeros((8, 4))
    heat[1, 3] = 1.0
    overlay = heat_overlay(np.full((80, 40, 3), 100, dtype=np.uint8), heat).astype(int).sum(axis=2)
    row, column = np.unravel_index(overlay.argmax(), overlay.shape)
    assert (row // 10, column // 10) == (1, 3)
    assert overlay[70, 5] < 300  # darker than the picture where nobody looked


def test_every_frame_stands_above_the_same_frame_under_its_heat(world):
    tracklet = world.tracklets["ground-1"]
    maps = np.zeros((3, 4, 2))
    maps[0, 0] = 1.0
    section = attention_section([AttentionStrip(tracklet=tracklet, maps=maps)])
    assert section is not None
    first, second, third = pictures(section.html())
    assert first.shape == (2 * 144, 72, 3)  # a crop of 48 by 24, enlarged three times and no more
    plain = np.asarray(Image.open(tracklet.frames[0].path).convert("RGB")).astype(int)
    assert np.abs(first[112, 36] - plain[-1, 12]).max() < 12
    # One scale for the whole tracklet: the frames that were not looked at are dark all over.
    assert first[144:180].mean() > 1.3 * second[144:180].mean()
    assert np.abs(second[248:] - third[248:]).mean() < 3


def test_maps_without_any_difference_are_drawn(world):
    strip = AttentionStrip(tracklet=world.tracklets["ground-1"], maps=np.full((3, 4, 2), 0.5))
    section = attention_section([strip])
    assert section is not None
    assert len(pictures(section.html())) == 3


def test_one_map_is_needed_for_each_frame(world):
    with pytest.raises(ValueError, match=r"^tracklet ground-1: one map for each frame; got 2 maps for 3 frames$"):
        AttentionStrip(tracklet=world.tracklets["ground-1"], maps=np.zeros((2, 4, 2)))


def test_a_missing_frame_is_refused_by_name(world):
    tracklet = world.tracklets["ground-1"]
    Path(tracklet.frames[1].path).unlink()
    with pytest.raises(MissingFrameError, match=r"^tracklet ground-1: frame .*: (is missing|cannot be read)"):
        attention_section([AttentionStrip(tracklet=tracklet, maps=np.zeros((3, 4, 2)))])


def test_a_tracklet_id_never_becomes_markup(tmp_path):
    tracklet = paint(tmp_path, HOSTILE, 1, Platform.AERIAL, frames=1)
    section = attention_section([AttentionStrip(tracklet=tracklet, maps=np.zeros((1, 4, 2)))])
    assert section is not None
    assert "<script" not in section.html()


def test_without_maps_there_is_no_section():
    assert attention_section([]) is None
