"""One moment from both platforms."""

import io

import numpy as np
import pytest
from PIL import Image

from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.stills import draw_stills
from skyreid.tracklet import PLATFORMS

MARK = (255, 214, 64)


@pytest.mark.slow
def test_both_platforms_show_the_same_place_with_its_people_marked():
    stills = draw_stills(3, people=2)
    assert [still.platform for still in stills] == list(PLATFORMS)
    assert {still.scene for still in stills} == {next(iter(SCENES))}
    for still in stills:
        with Image.open(io.BytesIO(still.jpeg)) as picture:
            assert picture.size == (960, 540)
            off = np.abs(np.asarray(picture, int) - MARK).sum(axis=2)
        assert (off < 90).sum() > 50  # thin lines, after scaling and JPEG
