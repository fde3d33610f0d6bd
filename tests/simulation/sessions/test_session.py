"""Who comes together, and the session that follows."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyreid.simulation.filming import identity
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.session import SessionPlan, plan_session, session_plans
from skyreid.tracklet import Platform


@given(st.integers(1, 3000))
def test_everybody_is_called_once_and_dealt_to_the_scenes_in_turn(identities):
    plans = session_plans(identities)
    assert sorted(pid for plan in plans for pid in plan.pids) == list(range(1, identities + 1))
    scenes = list(SCENES)[: -(-identities // 5)]
    assert {plan.scene for plan in plans} == set(scenes)
    assert all(scenes[(pid - 1) % len(scenes)] == plan.scene for plan in plans for pid in plan.pids)
    assert len({plan.name for plan in plans}) == len(plans)


@given(st.integers(1, 3000))
def test_sessions_are_small_of_even_size_and_short(identities):
    plans = session_plans(identities)
    assert all(1 <= len(plan.pids) <= 10 for plan in plans)
    assert all(12 <= plan.duration_s <= 18 and plan.duration_s % 0.5 == 0 for plan in plans)
    for scene, number in Counter(plan.scene for plan in plans).items():
        sizes = [len(plan.pids) for plan in plans if plan.scene == scene]
        assert len(sizes) == number and max(sizes) - min(sizes) <= 1


def test_a_session_has_a_name_and_more_people_take_longer():
    assert SessionPlan(scene="campus", number=3, pids=(1,)).name == "campus-03"
    assert SessionPlan(scene="campus", number=3, pids=(1,)).duration_s == 12
    assert SessionPlan(scene="campus", number=3, pids=tuple(range(1, 11))).duration_s == 18


@pytest.fixture(scope="module")
def plan():
    return SessionPlan(scene=next(iter(SCENES)), number=2, pids=(10, 19))


@pytest.fixture(scope="module")
def session(plan):
    return plan_session(4, plan)


def test_the_cast_is_those_who_were_called(session):
    assert [(pid, person) for pid, person, _ in session.cast] == [(pid, identity(4, pid)) for pid in (10, 19)]
    actors = session.actors_at(3.0)
    assert [actor.pid for actor in actors] == [10, 19]
    for actor, (_, _, walk) in zip(actors, session.cast, strict=True):
        assert actor.capsules.start[:, :2].mean(axis=0) == pytest.approx(walk.at(3.0), abs=0.3)


def test_the_same_arguments_give_the_same_session(session, plan):
    again = plan_session(4, plan)
    for time_s in (0.0, 7.0):
        for platform in Platform:
            one, other = (each.setting.camera_at(platform, time_s) for each in (session, again))
            assert (one.position == other.position).all() and (one.axes == other.axes).all()
        for one, other in zip(session.actors_at(time_s), again.actors_at(time_s), strict=True):
            assert (one.capsules.start == other.capsules.start).all()


def test_the_ground_camera_is_two_metres_up_and_stays(session):
    cameras = [session.setting.camera_at(Platform.GROUND, time_s) for time_s in (0.0, 5.0)]
    assert cameras[0] is cameras[1]
    assert cameras[0].position[2] == 2.0
