import numpy as np
import pytest

from skyreid.building.motion import static_camera
from skyreid.building.motion.static_camera import CameraMotion
from tests.building.motion.scenes import backdrop, seen_through_noise, with_people


def judged(picture_at, seconds=15):
    camera = CameraMotion()
    for second in range(seconds):
        camera.look(float(second), picture_at(second))
    return camera


def wide(seed=0):
    return np.tile(backdrop(seed), (2, 2, 1))


def test_a_still_camera_with_somebody_walking_close_by_does_not_move():
    def picture(second):
        left = 20 * second - 60
        return seen_through_noise(with_people(backdrop(), [((left, 10, left + 60, 180), 30)]), second)

    assert not judged(picture).moves


@pytest.mark.parametrize("speed", [(1, 0), (0, 3), (2, 2)])
def test_a_camera_that_drifts_moves(speed):
    def picture(second):
        right, down = speed[0] * second, speed[1] * second
        return seen_through_noise(wide()[down : down + 180, right : right + 320], second)

    assert judged(picture).moves


def test_one_bump_is_forgiven():
    def picture(second):
        shift = 8 if second >= 13 else 0
        return seen_through_noise(wide()[:180, shift : shift + 320], second)

    assert not judged(picture, seconds=45).moves


def test_movement_for_a_minute_is_enough(monkeypatch):
    monkeypatch.setattr(static_camera, "ENOUGH_MOVED", 10)

    def picture(second):
        return wide()[:180, 3 * second : 3 * second + 320]

    assert not judged(picture, seconds=10).moves_for_sure
    assert judged(picture, seconds=12).moves_for_sure


def test_an_empty_wall_says_nothing():
    assert not judged(lambda second: np.full((180, 320, 3), 90, np.uint8)).moves


def test_frames_between_the_checks_are_passed_over():
    camera = CameraMotion()
    for number in range(100):
        camera.look(number / 100, wide()[:180, number : number + 320])
    assert not camera.moves
