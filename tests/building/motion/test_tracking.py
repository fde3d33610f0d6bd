from fractions import Fraction

import numpy as np
import pytest

from skyreid.building.motion.registration import carry
from skyreid.building.motion.tracking import (
    CONFIRMED_AFTER,
    LOST_S,
    TRACKING_INTERVAL_S,
    FrameBoxes,
    Track,
    apart,
    by_frame,
    in_order,
    link,
    tracking_interval,
)


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


PAN = np.array([[1.0, 0.0, 45.0], [0.0, 1.0, -30.0], [0.0, 0.0, 1.0]])
TURN = np.array([[0.98, -0.2, 60.0], [0.2, 0.98, -40.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("motion", [PAN, TURN], ids=["pan", "turn"])
def test_things_are_followed_over_the_ground_when_the_camera_jumps(motion):
    centres, frames = np.array([[200.0, 100.0], [260.0, 150.0]]), []
    for step in range(10):
        centres = centres + np.array([2.0, 1.0])
        centres = carry(centres, motion) if step else centres
        frames.append(FrameBoxes(step, step / 10, tuple((x - 5, y - 10, x + 5, y + 10) for x, y in centres.tolist())))
    tracks = link(frames, interval_s=0.1, camera=[motion] * 10)
    assert [len(track) for track in tracks] == [9, 9]
    assert all(len(track) < 9 for track in link(frames, interval_s=0.1))


def test_all_tracks_end_where_the_ground_is_lost():
    camera = [np.eye(3)] * 20
    camera[10] = None
    tracks = link(found(20, {"a": walk(0.0, speed=1.0)}), interval_s=0.1, camera=camera)
    assert [(track.steps[0], track.steps[-1]) for track in tracks] == [(1, 9), (11, 19)]


def test_doubtful_boxes_go_on_with_a_track_but_begin_none():
    def frames(first_sure):
        places = [(step, walk(0.0)(step)) for step in range(20)]
        return [
            FrameBoxes(step, step / 10, (box,) if step < first_sure else (), () if step < first_sure else (box,))
            for step, box in places
        ]

    (track,) = link(frames(5), interval_s=0.1)
    assert track.steps.tolist() == list(range(1, 20))
    assert link(frames(0), interval_s=0.1) == []


def test_the_sampled_times_are_among_the_searched():
    for interval_s in (0.5, 0.25, 0.1, 0.04, 1.0, 0.33):
        step = tracking_interval(interval_s)
        assert step <= TRACKING_INTERVAL_S and (Fraction(str(interval_s)) / step).denominator == 1


def test_tracks_by_frame_have_their_place_as_number():
    frames = [FrameBoxes(3 * step, step / 10, ()) for step in range(4)]
    tracks = [Track(steps=np.array([1, 2]), boxes=np.array([walk(0.0)(1), walk(0.0)(2)]))]
    tracks.append(Track(steps=np.array([2]), boxes=np.array([walk(50.0)(2)])))
    assert by_frame(tracks, frames) == {3: {0: walk(0.0)(1)}, 6: {0: walk(0.0)(2), 1: walk(50.0)(2)}}
    assert in_order(tracks[::-1]) == tracks


def track(first, boxes):
    return Track(steps=np.arange(first, first + len(boxes)), boxes=np.array(boxes, np.float64))


def box(left, *, width=20, top=10, height=60):
    return (left, top, left + width, top + height)


def stretches(tracks):
    """First and last step of each, in order."""
    return sorted((int(t.steps[0]), int(t.steps[-1])) for t in tracks)


def pace(start, speed, number):
    return [box(start + speed * step) for step in range(number)]


def test_people_who_never_meet_are_left_alone():
    tracks = [track(0, pace(0, 2, 30)), track(5, pace(200, -2, 30))]
    kept, left_out = apart(tracks)
    assert stretches(kept) == [(0, 29), (5, 34)] and left_out == 0


def test_the_blob_between_a_meeting_and_a_parting_is_left_out():
    # One walks to the right, one to the left; at 10 they become one box, at 15 they part again.
    blob = [box(18, width=34) for _ in range(5)]
    one = track(0, [*pace(0, 2, 10), *blob, *pace(32, 2, 10)])
    other = track(0, pace(52, -2, 10))
    again = track(15, pace(18, -2, 10))
    kept, left_out = apart([one, other, again])
    assert stretches(kept) == [(0, 9), (0, 9), (15, 24), (15, 24)]
    assert left_out == 5
    for piece in kept:
        assert (np.diff(piece.boxes[:, [0, 2]]) == 20).all()


def test_who_is_hidden_for_a_while_is_cut_there_too():
    # The tracker waits for the hidden one and takes up his number afterwards, perhaps for the other one.
    front = track(0, [*pace(0, 2, 10), *[box(18, width=34)] * 5, *pace(32, 2, 10)])
    hidden = Track(
        steps=np.array([*range(10), *range(15, 25)]),
        boxes=np.array([*pace(52, -2, 10), *pace(18, -2, 10)], np.float64),
    )
    kept, left_out = apart([front, hidden])
    assert stretches(kept) == [(0, 9), (0, 9), (15, 24), (15, 24)]
    assert left_out == 5


def test_a_pair_that_parts_without_having_met_was_two_from_the_start():
    pair = track(0, [*[box(18, width=34)] * 20, *pace(32, 2, 10)])
    other = track(20, pace(18, -2, 10))
    kept, left_out = apart([pair, other])
    assert stretches(kept) == [(20, 29), (20, 29)]
    assert left_out == 20


def test_who_was_alone_before_an_unseen_meeting_stays():
    someone = track(0, [*pace(0, 1, 10), *[box(18, width=34)] * 5, *pace(32, 2, 10)])
    other = track(15, pace(18, -2, 10))
    kept, left_out = apart([someone, other])
    assert stretches(kept) == [(0, 9), (15, 24), (15, 24)]
    assert left_out == 5


def test_a_bag_that_is_put_down_is_no_second_person():
    person = track(0, pace(0, 2, 30))
    bag = track(10, [box(20, width=10, top=55, height=15)] * 20)
    kept, left_out = apart([person, bag])
    assert stretches(kept) == [(0, 29), (10, 29)] and left_out == 0


def test_two_who_join_and_part_one_by_one_leave_no_box_of_many():
    # Joined by one at 5 and by another at 10; they part at 15 and 20.
    blob = [box(18, width=34) for _ in range(15)]
    first = track(0, [*pace(8, 2, 5), *blob, *pace(32, 2, 10)])
    second, third = track(0, pace(40, -2, 5)), track(0, pace(-4, 2, 10))
    leaves, leaves_too = track(15, pace(18, -9, 10)), track(20, pace(18, -2, 10))
    kept, left_out = apart([first, second, third, leaves, leaves_too])
    assert left_out == 15
    assert (5, 9) not in stretches(kept) and (0, 4) in stretches(kept) and (20, 29) in stretches(kept)
