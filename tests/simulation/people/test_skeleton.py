"""Joints of a walking person."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.people.skeleton import LEFT, LEG_M, RIGHT, SOLE_M, Skeleton, Stride, between, stand

STRIDES = st.builds(
    Stride,
    swing_rad=st.floats(0.2, 0.48),
    arm_swing_rad=st.floats(0.05, 0.5),
    cadence_hz=st.floats(0.7, 1.1),
    lean_rad=st.floats(0.0, 0.12),
)
PHASES = st.floats(-2, 2)


@settings(max_examples=30, deadline=None)
@given(stride=STRIDES, phase=PHASES)
def test_one_sole_touches_the_ground_and_none_sinks(stride, phase):
    joints = stand(1.0, stride, phase)
    soles = [point[2] - SOLE_M for point in (*joints.heels, *joints.toes)]
    assert min(soles) == pytest.approx(0, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(stride=STRIDES, phase=PHASES)
def test_bones_keep_their_length(stride, phase):
    joints = stand(1.0, stride, phase)
    for side in (LEFT, RIGHT):
        assert math.dist(joints.hips[side], joints.knees[side]) == pytest.approx(LEG_M / 2)
        assert math.dist(joints.knees[side], joints.ankles[side]) == pytest.approx(LEG_M / 2)
        assert math.dist(joints.shoulders[side], joints.elbows[side]) == pytest.approx(0.295)


def mirrored(joints: Skeleton) -> list[tuple[float, float, float]]:
    pairs = (joints.hips, joints.knees, joints.toes, joints.shoulders, joints.elbows, joints.fingers)
    return [(pair[RIGHT][0], -pair[RIGHT][1], pair[RIGHT][2]) for pair in pairs]


@settings(max_examples=30, deadline=None)
@given(stride=STRIDES, phase=PHASES)
def test_half_a_stride_later_left_and_right_have_changed_places(stride, phase):
    now, later = stand(1.0, stride, phase), stand(1.0, stride, phase + 0.5)
    pairs = (now.hips, now.knees, now.toes, now.shoulders, now.elbows, now.fingers)
    for left, other in zip([pair[LEFT] for pair in pairs], mirrored(later), strict=True):
        assert left == pytest.approx(other, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(stride=STRIDES)
def test_at_touch_down_the_left_heel_is_in_front_and_the_right_hand_too(stride):
    joints = stand(1.0, stride, 0.0)
    assert joints.heels[LEFT][0] > joints.heels[RIGHT][0] + 0.2
    assert joints.fingers[RIGHT][0] > joints.fingers[LEFT][0]


@settings(max_examples=30, deadline=None)
@given(stride=STRIDES, phase=PHASES, share=st.floats(0.02, 0.98))
def test_a_place_on_a_leg_has_the_height_asked_for(stride, phase, share):
    joints = stand(1.0, stride, phase)
    hip, ankle = joints.hips[LEFT][2], joints.ankles[LEFT][2]
    height = ankle + share * (hip - ankle)
    x, _, z = joints.leg_at(LEFT, height)
    assert z == pytest.approx(height)
    assert joints.ankles[LEFT][0] - 0.5 < x < joints.knees[LEFT][0] + 0.3


def test_between_goes_from_one_point_to_the_other():
    assert between((0.0, 1.0, 2.0), (4.0, 1.0, 0.0), 0.25) == (1.0, 1.0, 1.5)
