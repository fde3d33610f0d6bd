from dataclasses import replace

import cv2
import numpy as np
import pytest

from skyreid.building.motion.joining import MAX_PAUSE_S, STRIPES, join, looks_of
from skyreid.building.motion.registration import carry
from skyreid.building.motion.tracking import FrameBoxes, Track

STEP_S = 0.1
PAN = np.array([[1.0, 0.0, 45.0], [0.0, 1.0, -30.0], [0.0, 0.0, 1.0]])
RED, BLUE, GREEN = np.eye(3, dtype=np.float32)


def walk(first, number, *, left=100.0, top=50.0, speed=2.0, height=60.0, look=RED):
    """A track, and how it looks."""
    lefts = left + speed * np.arange(number)
    boxes = np.stack(np.broadcast_arrays(lefts, top, lefts + height / 3, top + height), axis=1)
    return Track(steps=np.arange(first, first + number), boxes=boxes), look


def joined(*walks, camera=None):
    """First and last step of each track that comes of them, and whether it pauses."""
    found = [FrameBoxes(step, step * STEP_S, ()) for step in range(100)]
    for track, look in walks:
        for step, box in zip(track.steps.tolist(), track.boxes.tolist(), strict=True):
            found[step] = replace(found[step], looks={**found[step].looks, tuple(box): look})
    tracks = join([track for track, _ in walks], found, interval_s=STEP_S, camera=camera)
    assert sum(map(len, tracks)) == sum(len(track) for track, _ in walks)
    for track in tracks:
        assert (np.diff(track.steps) > 0).all()
    return sorted((int(track.steps[0]), int(track.steps[-1])) for track in tracks)


BY = walk(0, 60, left=300.0, top=200.0, look=BLUE)
"""Somebody else, so that there is another look."""


def test_who_was_hidden_for_a_moment_goes_on():
    assert joined(walk(0, 20), walk(35, 20, left=170.0), BY) == [(0, 54), (0, 59)]


@pytest.mark.parametrize(
    "other",
    [
        walk(35, 20, left=170.0, look=GREEN),
        walk(35, 20, left=600.0),
        walk(35, 20, left=170.0, height=120.0),
        walk(21 + round(MAX_PAUSE_S / STEP_S), 20, left=140.0),
        walk(19, 20, left=140.0),
    ],
    ids=["other clothes", "too far away", "other size", "too late", "both in view"],
)
def test_who_may_be_somebody_else_does_not_go_on(other):
    assert len(joined(walk(0, 20), other, BY)) == 3


def test_after_a_crossing_everybody_goes_on_as_themselves():
    """They turn round when they meet: by place alone each would be taken for the other."""
    red, blue = walk(0, 20, left=100.0), walk(0, 20, left=180.0, speed=-2.0, look=BLUE)
    red_again, blue_again = walk(25, 20, left=138.0, speed=-2.0), walk(25, 20, left=142.0, look=BLUE)
    found = joined(red, blue, red_again, blue_again)
    assert found == [(0, 44), (0, 44)]
    ((track, _), (again, _)) = red, red_again
    looks = [{} for _ in range(100)]
    for one, look in (red, blue, red_again, blue_again):
        for step, box in zip(one.steps.tolist(), one.boxes.tolist(), strict=True):
            looks[step][tuple(box)] = look
    frames = [FrameBoxes(step, step * STEP_S, (), looks=own) for step, own in enumerate(looks)]
    first, _ = join([one for one, _ in (red, blue, red_again, blue_again)], frames, interval_s=STEP_S)
    np.testing.assert_array_equal(first.boxes, np.concatenate([track.boxes, again.boxes]))


def test_of_two_teams_in_kits_nobody_goes_on_as_a_fellow_player():
    """Fellow players in view together resemble each other more than these two pieces do: they tell nothing."""
    pieces = walk(0, 20), walk(25, 20, left=140.0, look=RED + 0.4 * GREEN)
    other = walk(0, 60, left=300.0, top=200.0, look=BLUE + GREEN)
    assert joined(*pieces, other) == [(0, 44), (0, 59)]
    teams = [walk(0, 60, top=100.0 * row, left=900.0, look=(RED, BLUE)[row % 2]) for row in range(8)]
    assert len(joined(*pieces, other, *teams)) == 11


def test_pieces_are_held_against_the_ground_not_against_the_picture():
    track, look = walk(0, 20)
    shift = np.linalg.matrix_power(PAN, 6)
    corners = carry(track.boxes[-1].reshape(2, 2), shift).ravel()
    again = Track(steps=np.arange(25, 45), boxes=np.repeat(corners[None], 20, axis=0)), look
    camera = [PAN] * 100
    assert joined((track, look), again, BY, camera=camera) == [(0, 44), (0, 59)]
    assert len(joined((track, look), again, BY)) == 3
    camera[22] = None
    assert len(joined((track, look), again, BY, camera=camera)) == 3


def test_a_chain_of_pieces_is_one_track_and_nobody_stays_nobody():
    assert joined(walk(0, 10), walk(15, 10, left=130.0), walk(30, 10, left=160.0), BY) == [(0, 39), (0, 59)]
    assert joined() == []
    assert joined(walk(0, 10)) == [(0, 9)]


def test_a_look_is_the_colour_of_each_stripe_of_the_middle_of_the_box():
    picture = np.zeros((120, 90, 3), np.uint8)
    picture[:, 30:60] = (200, 30, 30)
    picture[60:, 30:60] = (30, 30, 200)
    (look,) = looks_of(picture, [(20.0, 0.0, 70.0, 120.0)])
    assert look.shape == (3 * STRIPES,)
    red, blue = (
        cv2.cvtColor(np.float32([[c]]) / 255, cv2.COLOR_RGB2LAB).ravel() for c in ((200, 30, 30), (30, 30, 200))
    )
    np.testing.assert_allclose(look.reshape(STRIPES, 3)[:3], np.tile(red, (3, 1)), atol=2.0)
    np.testing.assert_allclose(look.reshape(STRIPES, 3)[3:], np.tile(blue, (3, 1)), atol=2.0)


def test_a_box_at_or_beyond_the_edge_has_a_look():
    boxes = [(-30.0, -5.0, 2.0, 40.0), (88.5, 118.7, 89.0, 119.0), (95.0, 130.0, 120.0, 160.0)]
    for look in looks_of(np.full((120, 90, 3), 128, np.uint8), boxes):
        assert np.isfinite(look).all()
