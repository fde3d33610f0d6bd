import numpy as np
import pytest

from skyreid.building.motion.person_shapes import FROM_A_DRONE, find_person_shapes


def mask_of(*boxes, height=120, width=160):
    mask = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


def test_people_are_boxes_and_their_pixels():
    near, far = (10, 20, 30, 70), (100, 30, 108, 50)
    boxes, people = find_person_shapes(mask_of(near, far))
    assert sorted(boxes) == [near, far]
    np.testing.assert_array_equal(people, mask_of(near, far))


@pytest.mark.parametrize(
    "box",
    [(10, 20, 60, 60), (10, 5, 15, 110), (10, 20, 18, 30), (10, 20, 12, 22)],
    ids=["a car", "a pole", "a bird", "noise"],
)
def test_what_is_not_shaped_like_a_person_is_none(box):
    boxes, people = find_person_shapes(mask_of(box))
    assert boxes == [] and not people.any()


def test_a_thin_outline_is_no_person():
    mask = mask_of((20, 10, 60, 110))
    mask[13:107, 23:57] = False
    assert find_person_shapes(mask)[0] == []


def test_halves_of_a_person_are_put_together():
    torso, legs = (20, 20, 40, 42), (21, 52, 39, 80)  # the belt has the colour of the wall
    boxes, people = find_person_shapes(mask_of(torso, legs))
    assert boxes == [(20, 20, 40, 80)]
    np.testing.assert_array_equal(people, mask_of(torso, legs))


@pytest.mark.parametrize(
    "other",
    [(45, 20, 57, 55), (20, 64, 32, 99), (60, 90, 75, 110)],
    ids=["beside", "behind", "far"],
)
def test_two_people_stay_two(other):
    one = (20, 20, 32, 55)
    assert sorted(find_person_shapes(mask_of(one, other))[0]) == sorted([one, other])


def test_from_a_drone_people_are_smaller_and_may_be_as_wide_as_high():
    one, other = (20, 20, 25, 28), (60, 40, 72, 50)
    boxes, _ = find_person_shapes(mask_of(one, other), FROM_A_DRONE)
    assert sorted(boxes) == [one, other]
    assert find_person_shapes(mask_of(one, other))[0] == []
    assert find_person_shapes(mask_of((20, 10, 60, 110)), FROM_A_DRONE)[0] == []
