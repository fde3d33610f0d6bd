from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.simulation.construction.box_overlap import (
    MIN_IOU,
    are_in_any,
    intersections_over_unions,
    matched_boxes,
    points_in,
    touch,
)

edges = st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda ends: ends[0] != ends[1]).map(sorted)
boxes = st.tuples(edges, edges).map(lambda ends: (*map(float, (ends[0][0], ends[1][0], ends[0][1], ends[1][1])),))


def overlap(first, second):
    """By counting unit squares."""
    squares = [
        {(x, y) for x in range(int(box[0]), int(box[2])) for y in range(int(box[1]), int(box[3]))}
        for box in (first, second)
    ]
    return len(squares[0] & squares[1]) / len(squares[0] | squares[1])


@given(found=st.lists(boxes, min_size=1, max_size=4), true=st.lists(boxes, min_size=1, max_size=4))
def test_overlaps_are_those_of_counted_squares(found, true):
    expected = [[overlap(one, other) for other in true] for one in found]
    np.testing.assert_allclose(intersections_over_unions(np.array(found), np.array(true)), expected)


@given(found=st.lists(boxes, max_size=4), true=st.lists(boxes, max_size=4))
def test_no_other_pairing_overlaps_more(found, true):
    pairs = matched_boxes(found, true)
    assert len(set(pairs.values())) == len(pairs)
    worth = [overlap(found[row], true[column]) for row, column in pairs.items()]
    assert all(value >= MIN_IOU for value in worth)
    few, many = sorted((found, true), key=len)
    best = max(
        sum(value for one, other in zip(few, chosen, strict=True) if (value := overlap(one, other)) >= MIN_IOU)
        for chosen in permutations(many, len(few))
    )
    assert sum(worth) == pytest.approx(best)


@given(st.lists(boxes, max_size=3))
def test_the_share_of_points_in_regions_is_the_share_of_the_area(regions):
    """Exactly, where regions end between points: 32 points on 8 pixels."""
    squares = [(x, y) for x in range(8) for y in range(8)]
    covered = sum(any(r[0] <= x < r[2] and r[1] <= y < r[3] for r in regions) for x, y in squares)
    assert are_in_any(points_in((0.0, 0.0, 8.0, 8.0)), regions).mean() == covered / len(squares)


@given(boxes, boxes)
def test_boxes_touch_when_they_overlap(first, second):
    assert touch(first, second) == (overlap(first, second) > 0)
