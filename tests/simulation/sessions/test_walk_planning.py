"""Everybody is seen from both platforms."""

import math

import numpy as np
import pytest

from skyreid.simulation.rendering.camera import Window
from skyreid.simulation.rendering.ray_caster import draw
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.choreography import nearest_m
from skyreid.simulation.sessions.obstacles import obstacles_in
from skyreid.simulation.sessions.seen_people import outline
from skyreid.simulation.sessions.session import SessionPlan, plan_session
from skyreid.simulation.sessions.setting import FRAME
from skyreid.simulation.sessions.walk_planning import LEAST_FRAMES, LEAST_SHOWN
from skyreid.tracklet import Platform


def widths_and_shares(session, platform):
    """For each person and each half second: width of the box, and share that shows, each drawn by itself."""
    times = np.arange(0.0, session.setting.duration_s, 0.5)
    widths, shares = np.zeros((len(session.cast), times.size)), np.zeros((len(session.cast), times.size))
    for index, time_s in enumerate(times.tolist()):
        camera, actors = session.setting.camera_at(platform, time_s), session.actors_at(time_s)
        bodies = [actor.capsules for actor in actors]
        for place, body in enumerate(bodies):
            left, top, right, bottom = outline(body, camera)
            window = Window(
                left=math.floor(left),
                top=math.floor(top),
                width=math.ceil(right) - math.floor(left),
                height=math.ceil(bottom) - math.floor(top),
            )
            widths[place, index] = right - left
            if window.left > FRAME.left - 300 and window.left + window.width < -FRAME.left + 300:
                picture = draw(
                    camera, window, bodies, session.setting.scene.surroundings, session.setting.light, samples=1
                )
                rows, columns = np.nonzero(picture.body == place)
                rows, columns = rows + window.top, columns + window.left
                inside = (np.abs(columns + 0.5) < FRAME.width / 2) & (np.abs(rows + 0.5) < FRAME.height / 2)
                shares[place, index] = inside.sum() / picture.alone[place]
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
    for place, scene in enumerate(SCENES):
        session = plan_session(3, SessionPlan(scene=scene, number=1, pids=tuple(range(1 + 5 * place, 6 + 5 * place))))
        for platform, seen in check(session).items():
            widths[platform].extend(seen)
    for platform, low, high in ((Platform.GROUND, 10, 70), (Platform.AERIAL, 5, 35)):
        found = np.array(widths[platform])
        assert ((found >= low) & (found <= high)).mean() > 0.95
        # They spread over the range.
        assert np.percentile(found, 90) > 1.8 * np.percentile(found, 10)
