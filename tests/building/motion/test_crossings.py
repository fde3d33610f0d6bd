import numpy as np

from skyreid.building.motion.crossings import apart
from skyreid.building.motion.tracking import Track


def track(first, boxes):
    return Track(steps=np.arange(first, first + len(boxes)), boxes=np.array(boxes, np.float64))


def box(left, *, width=20, top=10, height=60):
    return (left, top, left + width, top + height)


def stretches(tracks):
    """First and last step of each, in order."""
    return sorted((int(t.steps[0]), int(t.steps[-1])) for t in tracks)


def walk(start, speed, number):
    return [box(start + speed * step) for step in range(number)]


def test_people_who_never_meet_are_left_alone():
    tracks = [track(0, walk(0, 2, 30)), track(5, walk(200, -2, 30))]
    kept, left_out = apart(tracks)
    assert stretches(kept) == [(0, 29), (5, 34)] and left_out == 0


def test_the_blob_between_a_meeting_and_a_parting_is_left_out():
    # One walks to the right, one to the left; at 10 they become one box, at 15 they part again.
    blob = [box(18, width=34) for _ in range(5)]
    one = track(0, [*walk(0, 2, 10), *blob, *walk(32, 2, 10)])
    other = track(0, walk(52, -2, 10))
    again = track(15, walk(18, -2, 10))
    kept, left_out = apart([one, other, again])
    assert stretches(kept) == [(0, 9), (0, 9), (15, 24), (15, 24)]
    assert left_out == 5
    for piece in kept:
        assert (np.diff(piece.boxes[:, [0, 2]]) == 20).all()


def test_who_is_hidden_for_a_while_is_cut_there_too():
    # The tracker waits for the hidden one and takes up his number afterwards, perhaps for the other one.
    front = track(0, [*walk(0, 2, 10), *[box(18, width=34)] * 5, *walk(32, 2, 10)])
    hidden = Track(
        steps=np.array([*range(10), *range(15, 25)]),
        boxes=np.array([*walk(52, -2, 10), *walk(18, -2, 10)], np.float64),
    )
    kept, left_out = apart([front, hidden])
    assert stretches(kept) == [(0, 9), (0, 9), (15, 24), (15, 24)]
    assert left_out == 5


def test_a_pair_that_parts_without_having_met_was_two_from_the_start():
    pair = track(0, [*[box(18, width=34)] * 20, *walk(32, 2, 10)])
    other = track(20, walk(18, -2, 10))
    kept, left_out = apart([pair, other])
    assert stretches(kept) == [(20, 29), (20, 29)]
    assert left_out == 20


def test_who_was_alone_before_an_unseen_meeting_stays():
    someone = track(0, [*walk(0, 1, 10), *[box(18, width=34)] * 5, *walk(32, 2, 10)])
    other = track(15, walk(18, -2, 10))
    kept, left_out = apart([someone, other])
    assert stretches(kept) == [(0, 9), (15, 24), (15, 24)]
    assert left_out == 5


def test_a_bag_that_is_put_down_is_no_second_person():
    person = track(0, walk(0, 2, 30))
    bag = track(10, [box(20, width=10, top=55, height=15)] * 20)
    kept, left_out = apart([person, bag])
    assert stretches(kept) == [(0, 29), (10, 29)] and left_out == 0


def test_two_who_join_and_part_one_by_one_leave_no_box_of_many():
    # Joined by one at 5 and by another at 10; they part at 15 and 20.
    blob = [box(18, width=34) for _ in range(15)]
    first = track(0, [*walk(8, 2, 5), *blob, *walk(32, 2, 10)])
    second, third = track(0, walk(40, -2, 5)), track(0, walk(-4, 2, 10))
    leaves, leaves_too = track(15, walk(18, -9, 10)), track(20, walk(18, -2, 10))
    kept, left_out = apart([first, second, third, leaves, leaves_too])
    assert left_out == 15
    assert (5, 9) not in stretches(kept) and (0, 4) in stretches(kept) and (20, 29) in stretches(kept)
