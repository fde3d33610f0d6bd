"""Who walks where."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.filming import identity
from skyreid.simulation.people.body import size
from skyreid.simulation.people.skeleton import LEG_M
from skyreid.simulation.sessions.choreography import STEP_S, draw_walks, nearest_m

AREA = (-8.0, 2.0, 9.0, 13.0)


def walks_of(seed, number=1, area=AREA, duration_s=15.0):
    party = [identity(seed, 1), identity(seed, 2)][:number]
    return party, draw_walks(np.random.default_rng(seed), party, area, duration_s)


def speeds(walk):
    return np.hypot(np.diff(walk.x), np.diff(walk.y)) / STEP_S


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_one_person_stays_in_the_area_and_walks_as_people_do(seed):
    _, (walk,) = walks_of(seed)
    assert AREA[0] <= walk.x.min() <= walk.x.max() <= AREA[2]
    assert AREA[1] <= walk.y.min() <= walk.y.max() <= AREA[3]
    assert speeds(walk).max() < 2.2
    assert walk.at(15.0) == pytest.approx((walk.x[300], walk.y[300]))
    # Nobody turns on the spot or jumps.
    assert np.abs(np.diff(walk.heading_rad)).max() < 0.15


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_the_body_looks_where_it_goes(seed):
    _, (walk,) = walks_of(seed)
    moving = speeds(walk) > 0.3
    course = np.arctan2(np.diff(walk.y), np.diff(walk.x))[moving]
    off = np.angle(np.exp(1j * (course - walk.heading_rad[1:][moving])))
    assert np.abs(off).max() < 0.05


@given(st.integers(0, 10_000), st.integers(1, 2))
@settings(max_examples=40)
def test_the_stride_turns_as_far_as_the_legs_reach(seed, number):
    """No foot slides: a turn of the stride is two steps, each twice what a leg swings to the front."""
    party, walks = walks_of(seed, number)
    for person, walk in zip(party, walks, strict=True):
        stride_m = 4 * LEG_M * size(person) * np.sin(person.stride.swing_rad * walk.swing[1:])
        striding = stride_m > 0.1
        assert np.diff(walk.phase)[striding] * stride_m[striding] == pytest.approx((speeds(walk) * STEP_S)[striding])


def test_some_stop_and_some_walk_on_and_who_stops_goes_on():
    walks = [walks_of(seed)[1][0] for seed in range(60)]
    stops = [walk for walk in walks if walk.swing.min() == 0]
    assert 10 <= len(stops) <= 30
    for walk in stops:
        assert speeds(walk)[walk.swing[1:] == 0].max() == 0
        assert walk.swing.max() > 0.7


def test_gaits_differ():
    walks = [walks_of(seed)[1][0] for seed in range(20)]
    cadences = [np.diff(walk.phase).max() / STEP_S for walk in walks]
    assert np.std(cadences) > 0.05
    assert len({round(float(walk.phase[0] % 1), 2) for walk in walks}) > 12


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_a_pair_stays_side_by_side(seed):
    _, (one, other) = walks_of(seed, 2)
    gaps = np.hypot(one.x - other.x, one.y - other.y)
    assert gaps == pytest.approx(0.76)
    assert nearest_m(one, other) == pytest.approx(0.76)


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_a_small_place_makes_the_way_bend(seed):
    area = (0.0, 0.0, 6.0, 6.0)
    _, (walk,) = walks_of(seed, area=area, duration_s=18.0)
    assert min(walk.x.min(), walk.y.min()) >= 0
    assert max(walk.x.max(), walk.y.max()) <= 6


def test_a_place_without_room_is_refused():
    with pytest.raises(ValueError, match=r"a walk of \d+\.\d m has no room in an area of 1 m x 1 m"):
        draw_walks(np.random.default_rng(0), [identity(0, 1)], (0.0, 0.0, 1.0, 1.0), 15.0)


def test_the_same_generator_gives_the_same_walk():
    (one,), (other,) = walks_of(4)[1], walks_of(4)[1]
    assert all((getattr(one, name) == getattr(other, name)).all() for name in ("x", "y", "heading_rad", "phase"))


def test_feet_touch_the_ground_all_the_way():
    (person,), (walk,) = walks_of(2)
    for time_s in np.arange(0.0, 15.0, 1.3):
        capsules = walk.body_at(person, float(time_s))
        lowest = min(
            float((capsules.start[:, 2] - capsules.start_radius).min()),
            float((capsules.end[:, 2] - capsules.end_radius).min()),
        )
        assert abs(lowest) < 0.02
