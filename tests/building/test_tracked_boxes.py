from hypothesis import given
from hypothesis import strategies as st

from skyreid.building.tracked_boxes import TrackedBoxes, without_holes


def line(index, *, track=1, speed=2.0):
    """Where somebody is who walks straight."""
    return {track: (speed * index, 5.0, speed * index + 10.0, 5.0 + track)}


def tracked(frames):
    return TrackedBoxes(frames=frames, dropped={"ignored": 3})


@given(seen=st.sets(st.integers(0, 60), min_size=1), reach=st.integers(1, 8))
def test_short_holes_of_a_straight_walk_are_filled_and_long_ones_are_not(seen, reach):
    expected = set(seen)
    for before, after in zip(sorted(seen), sorted(seen)[1:], strict=False):
        if after - before <= reach:
            expected |= set(range(before, after))
    whole, filled = without_holes(tracked({index: line(index) for index in seen}), frame_rate=2.0 * reach)
    assert set(whole.frames) == expected
    assert filled == len(expected) - len(seen)
    for index, people in whole.frames.items():
        assert [round(side, 9) for side in people[1]] == list(line(index)[1])
    assert whole.dropped == {"ignored": 3}


def test_what_is_known_of_the_seen_stays_and_nothing_is_told_of_the_filled_in():
    boxes = TrackedBoxes(frames={0: line(0), 2: line(2)}, dropped={}, visible={0: {1: 0.5}}, identified=True)
    whole, filled = without_holes(boxes, frame_rate=25.0)
    assert filled == 1
    assert whole.visible == {0: {1: 0.5}}
    assert whole.identified


def test_people_are_filled_in_one_by_one():
    frames = {0: line(0) | line(0, track=2), 1: line(1, track=2), 2: line(2)}
    whole, filled = without_holes(tracked(frames), frame_rate=25.0)
    assert filled == 1
    assert whole.frames[1] == line(1) | line(1, track=2)
    assert set(frames[1]) == {2}  # the given ones are not changed
