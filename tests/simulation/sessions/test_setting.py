"""A place, an hour and two cameras."""

import numpy as np
import pytest

from skyreid.simulation.difficulty import USUAL
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.setting import FRAME, draw_setting
from skyreid.tracklet import Platform


@pytest.mark.parametrize("name", SCENES)
def test_both_cameras_look_at_where_people_walk(name):
    scene = SCENES[name](np.random.default_rng(2))
    setting = draw_setting(np.random.default_rng(3), scene, 14.0, USUAL)
    left, low, right, high = scene.walk_area
    x, y = setting.flight.target
    assert left <= x <= right and low <= y <= high
    for platform in Platform:
        u, v = setting.camera_at(platform, 7.0).project(np.array([x, y, 0.9]))
        assert abs(u) < FRAME.width / 4 and abs(v) < FRAME.height / 4


def test_the_ground_camera_stays_and_the_drone_does_not():
    setting = draw_setting(np.random.default_rng(3), SCENES["park"](np.random.default_rng(2)), 14.0, USUAL)
    assert setting.camera_at(Platform.GROUND, 1.0) is setting.camera_at(Platform.GROUND, 9.0)
    assert (setting.camera_at(Platform.AERIAL, 1.0).position != setting.camera_at(Platform.AERIAL, 9.0).position).all()
