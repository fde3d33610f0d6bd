import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skyreid.building.decode import VideoFrame
from skyreid.building.motion.moving_ground import REACH_S, median_of_nine, moving_things
from tests.building.motion import flights
from tests.building.motion.scenes import seen_through_noise


def filmed(number, camera_at, paint=lambda picture, step: None, *, seconds_a_frame=1 / flights.RATE):
    texture = flights.ground()
    for step in range(number):
        picture = camera_at(step).look(texture)
        paint(picture, step)
        yield VideoFrame(step, step * seconds_a_frame, seen_through_noise(picture, step))


def walker(picture, step):
    picture[100:118, 60 + 6 * step : 68 + 6 * step] = (230, 40, 40)


@given(arrays(np.uint8, (9, 4, 5, 3), elements=st.integers(0, 255)))
def test_the_median_is_that_of_a_sort(pictures):
    np.testing.assert_array_equal(median_of_nine(list(pictures)), np.median(pictures, axis=0))


@pytest.mark.parametrize("camera_at", [flights.hovering, flights.cruising, flights.rotating])
def test_the_ground_does_not_move_and_who_walks_does(camera_at):
    for seen in moving_things(filmed(30, camera_at, walker)):
        left = 60 + 6 * seen.index
        assert seen.moving[102:116, left + 2 : left + 6].all()
        away = seen.moving.copy()
        away[96:122, left - 4 : left + 12] = False
        assert away.mean() < 0.0005


def test_a_shadow_that_walks_along_is_not_the_person():
    def paint(picture, step):
        left = 60 + 6 * step
        picture[112:120, left + 8 : left + 30] = picture[112:120, left + 8 : left + 30] * 0.65
        walker(picture, step)

    for seen in moving_things(filmed(24, flights.hovering, paint)):
        left = 60 + 6 * seen.index
        assert seen.moving[102:116, left + 2 : left + 6].all()
        assert seen.moving[112:120, left + 12 : left + 30].mean() < 0.1


def test_every_frame_is_seen_once_and_in_order():
    seen = list(moving_things(filmed(26, flights.cruising)))
    assert [one.index for one in seen] == list(range(26))
    np.testing.assert_array_equal(seen[0].motion, np.eye(3))


def test_a_video_too_short_to_know_the_ground_shows_nobody():
    assert not any(seen.moving.any() for seen in moving_things(filmed(8, flights.cruising, walker)))


def test_the_ground_is_learned_anew_where_the_way_is_lost():
    def paint(picture, step):
        walker(picture, step % 15)
        if step >= 15:  # the camera is switched to another place
            picture[:] = picture[::-1, ::-1].copy()

    seen = list(moving_things(filmed(30, flights.hovering, paint)))
    assert seen[15].motion is None
    for one in seen:
        assert 0 < one.moving.mean() < 0.003


def test_only_frames_near_in_time_are_kept():
    picture, alive = next(filmed(1, flights.hovering)).pixels, []

    def long():
        for step in range(40):
            frame = VideoFrame(step, step * REACH_S / 2, picture.copy())
            alive.append(weakref.ref(frame.pixels))
            yield frame

    for seen in moving_things(long()):
        if seen.index < 35:
            assert sum(reference() is not None for reference in alive) <= 8
