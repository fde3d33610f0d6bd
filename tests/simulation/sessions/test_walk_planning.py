"""Who walks where: clear of what stands around, and seen from both platforms."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.filming import identity
from skyreid.simulation.people.body import size
from skyreid.simulation.people.skeleton import LEG_M
from skyreid.simulation.rendering.camera import Window
from skyreid.simulation.rendering.capsules import Capsule, place
from skyreid.simulation.rendering.materials import Surface
from skyreid.simulation.rendering.paint import Paint
from skyreid.simulation.rendering.ray_caster import draw
from skyreid.simulation.rendering.surroundings import Block, Surroundings
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.session import SessionPlan, plan_session
from skyreid.simulation.sessions.setting import FRAME
from skyreid.simulation.sessions.shooting import outline
from skyreid.simulation.sessions.walk_planning import (
    LEAST_FRAMES,
    LEAST_SHOWN,
    STEP_S,
    draw_walks,
    nearest_m,
    obstacles_in,
)
from skyreid.tracklet import Platform

pytestmark = pytest.mark.slow  # seconds that every change would pay; what is tested changes rarely


def widths_and_shares(session, platform):
    """For each person and each half second: width of the box, and share that shows, each drawn by itself."""
    times = np.arange(0.0, session.setting.duration_s, 0.5)
    widths, shares = np.zeros((len(session.cast), times.size)), np.zeros((len(session.cast), times.size))
    for index, time_s in enumerate(times.tolist()):
        camera, actors = session.setting.camera_at(platform, time_s), session.actors_at(time_s)
        bodies = [actor.capsules for actor in actors]
        for number, body in enumerate(bodies):
            left, top, right, bottom = outline(body, camera)
            window = Window(
                left=math.floor(left),
                top=math.floor(top),
                width=math.ceil(right) - math.floor(left),
                height=math.ceil(bottom) - math.floor(top),
            )
            widths[number, index] = right - left
            if window.left > FRAME.left - 300 and window.left + window.width < -FRAME.left + 300:
                picture = draw(
                    camera, window, bodies, session.setting.scene.surroundings, session.setting.light, samples=1
                )
                rows, columns = np.nonzero(picture.body == number)
                rows, columns = rows + window.top, columns + window.left
                inside = (np.abs(columns + 0.5) < FRAME.width / 2) & (np.abs(rows + 0.5) < FRAME.height / 2)
                shares[number, index] = inside.sum() / picture.alone[number]
    return widths, shares


def check(session):
    """What every session promises; gives the widths of those who show, by platform."""
    walks = [walk for _, _, walk in session.cast]
    obstacles = obstacles_in(session.setting.scene.surroundings, (-40.0, -40.0, 40.0, 40.0))
    assert all(obstacles.clearance_m(walk.x, walk.y).min() > 0.3 for walk in walks)
    assert all(nearest_m(one, other) > 0.5 for one in walks for other in walks if one is not other)
    seen = {}
    for platform in Platform:
        widths, shares = widths_and_shares(session, platform)
        assert ((shares >= LEAST_SHOWN).sum(axis=1) >= LEAST_FRAMES).all()
        seen[platform] = widths[shares >= LEAST_SHOWN]
    return seen


def test_two_people_are_seen_by_both_cameras_and_meet_nobody():
    check(plan_session(6, SessionPlan(scene=list(SCENES)[1], number=1, pids=(2, 11))))


@pytest.mark.slow(reason="people drawn one by one in every scene")
def test_crowds_of_every_scene_are_seen_and_have_the_published_widths():
    """Source: paper section 3.3: ground mostly 10 to 70 pixels, aerial 5 to 35."""
    widths = {platform: [] for platform in Platform}
    for number, scene in enumerate(SCENES):
        session = plan_session(3, SessionPlan(scene=scene, number=1, pids=tuple(range(1 + 5 * number, 6 + 5 * number))))
        for platform, seen in check(session).items():
            widths[platform].extend(seen)
    for platform, low, high in ((Platform.GROUND, 10, 70), (Platform.AERIAL, 5, 35)):
        found = np.array(widths[platform])
        assert ((found >= low) & (found <= high)).mean() > 0.95
        # They spread over the range.
        assert np.percentile(found, 90) > 1.8 * np.percentile(found, 10)


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


PLAIN = Surface(colour=(0.3, 0.3, 0.3), patch=(0.3, 0.3, 0.3), patch_m=1.0, grain=0.0, seed=1)
SQUARE = (-10.0, -10.0, 10.0, 10.0)
BENCH = Block(x=2.0, y=1.0, length=2.0, width=0.6, height=0.5, turn_rad=0.7, sides=PLAIN, top=PLAIN)
POST = Capsule(
    start=(0.0, 0.0, 0.0), end=(0.0, 0.0, 4.0), start_radius=0.1, end_radius=0.08, paint=Paint((0.2, 0.2, 0.2))
)


def clearance(blocks, growths, x, y):
    surroundings = Surroundings(ground=PLAIN, blocks=tuple(blocks), growths=tuple(growths))
    return obstacles_in(surroundings, SQUARE).clearance_m(np.array([x]), np.array([y]))[0]


def slow_distance(block, x, y):
    """To the nearest of many points of the block's foot."""
    along, aside = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.5, 0.5, 201), np.linspace(-0.5, 0.5, 201)))
    along, aside = along * block.length, aside * block.width
    cos, sin = math.cos(block.turn_rad), math.sin(block.turn_rad)
    foot = block.x + cos * along - sin * aside, block.y + sin * along + cos * aside
    return np.hypot(foot[0] - x, foot[1] - y).min()


@given(st.floats(-3, 6), st.floats(-4, 5))
@settings(max_examples=40)
def test_a_block_is_as_far_as_the_nearest_point_of_its_foot(x, y):
    assert clearance([BENCH], [], x, y) == pytest.approx(slow_distance(BENCH, x, y), abs=0.02)


def test_a_post_and_a_lying_log_are_round():
    post = place([POST], x=3.0, y=4.0)
    assert clearance([], [post], 0.0, 0.0) == pytest.approx(4.9)
    assert clearance([], [post], 3.05, 4.0) == 0
    log = place([dataclasses.replace(POST, start=(0.0, 0.0, 0.1), end=(4.0, 0.0, 0.1), end_radius=0.1)])
    assert clearance([], [log], 2.0, -1.0) == pytest.approx(0.9)
    assert clearance([], [log], 5.0, 0.0) == pytest.approx(0.9)


def test_what_is_overhead_or_far_away_is_no_obstacle():
    roof = dataclasses.replace(BENCH, base=2.5)
    branch = place([dataclasses.replace(POST, start=(0.0, 0.0, 2.5), end=(3.0, 0.0, 3.0))])
    elsewhere = dataclasses.replace(BENCH, x=40.0)
    assert clearance([roof, elsewhere], [branch], 2.0, 1.0) == math.inf
