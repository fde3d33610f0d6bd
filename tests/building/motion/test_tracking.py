import numpy as np

from skyreid.building.motion.motion_boxes import FrameBoxes
from skyreid.building.motion.tracking import CONFIRMED_AFTER, LOST_S, link


def walk(left, *, speed=3.0, top=20.0):
    return lambda step: (left + speed * step, top, left + speed * step + 20, top + 60)


def found(number, walks, *, missing=frozenset()):
    return [
        FrameBoxes(step, step / 10, tuple(at(step) for name, at in walks.items() if (name, step) not in missing))
        for step in range(number)
    ]


def test_each_walk_is_one_track_with_its_own_boxes():
    walks = {"a": walk(0.0), "b": walk(300.0, speed=-3.0, top=120.0)}
    tracks = link(found(30, walks), interval_s=0.1)
    assert len(tracks) == 2
    for track, at in zip(sorted(tracks, key=lambda track: track.boxes[0, 1]), walks.values(), strict=True):
        assert track.steps.tolist() == list(range(CONFIRMED_AFTER - 1, 30))
        np.testing.assert_array_equal(track.boxes, [at(step) for step in track.steps])


def test_who_is_away_for_less_than_a_second_keeps_the_track():
    gone = {("a", step) for step in range(10, 10 + round(LOST_S / 0.1) - 2)}
    (track,) = link(found(40, {"a": walk(0.0, speed=1.0)}, missing=gone), interval_s=0.1)
    assert len(track) == 39 - len(gone)
    gone = {("a", step) for step in range(10, 10 + round(LOST_S / 0.1) + 4)}
    assert len(link(found(40, {"a": walk(0.0, speed=1.0)}, missing=gone), interval_s=0.1)) == 2


def test_the_same_boxes_give_the_same_tracks_whatever_was_tracked_before():
    boxes = found(20, {"a": walk(0.0), "b": walk(200.0)})
    first, second = link(boxes, interval_s=0.1), link(boxes, interval_s=0.1)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.steps, other.steps)


def test_an_empty_place_has_no_tracks():
    assert link(found(5, {}), interval_s=0.1) == []
    assert link([], interval_s=0.1) == []
