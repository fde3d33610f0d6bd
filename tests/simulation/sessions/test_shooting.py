"""Frames of a session, against frames drawn the plain way."""

import math
from itertools import islice

import numpy as np
import pytest

from skyreid.simulation.difficulty import USUAL
from skyreid.simulation.filming import identity
from skyreid.simulation.rendering.camera import look_at
from skyreid.simulation.rendering.light import Light
from skyreid.simulation.rendering.ray_caster import draw
from skyreid.simulation.rendering.sensor import develop, draw_sensor
from skyreid.simulation.scenes import SCENES
from skyreid.simulation.sessions.session import Session
from skyreid.simulation.sessions.setting import FRAME, Setting, draw_flight
from skyreid.simulation.sessions.shooting import SAMPLES, shoot
from skyreid.simulation.sessions.walk_planning import Walk
from skyreid.tracklet import Platform

FRAME_RATE = 4


@pytest.fixture(scope="module")
def session():
    """A low sun, long shadows, people who overlap; the first of them is partly outside the ground picture."""
    scene = SCENES["bus-stop"](np.random.default_rng(1))
    x, y = scene.ground_camera
    camera = look_at(np.array([x, y, 2.0]), np.array([*scene.ground_target, 1.0]), focal_px=1109.0)
    flight = draw_flight(np.random.default_rng(3), scene.ground_target, 12.0, USUAL)
    light = Light(sun_azimuth_rad=2.0, sun_elevation_rad=0.42, sun=(0.9, 0.8, 0.7), sky=(0.3, 0.35, 0.4))
    setting = Setting(scene=scene, duration_s=12.0, light=light, ground_camera=camera, flight=flight)
    ahead, right = camera.axes[2, :2] / np.hypot(*camera.axes[2, :2]), camera.axes[0, :2]
    steps = np.arange(260)
    cast = []
    for pid, (depth, aside) in enumerate([(10.0, 0.575), (13.0, 0.1), (16.0, 0.1), (17.0, -0.2)], start=1):
        start = np.array([x, y]) + depth * ahead + depth * aside * right
        walk = Walk(
            x=start[0] + 0.04 * steps * ahead[0],
            y=start[1] + 0.04 * steps * ahead[1],
            heading_rad=np.full(260, math.atan2(ahead[1], ahead[0])),
            phase=0.3 * pid + 0.03 * steps,
            swing=np.ones(260),
        )
        cast.append((pid, identity(0, pid), walk))
    return Session(seeds=(5, 1_000_003, 1), setting=setting, cast=tuple(cast))


@pytest.fixture(scope="module")
def shots(session):
    return {platform: list(islice(shoot(session, platform, FRAME_RATE), 2)) for platform in Platform}


@pytest.mark.parametrize("platform", Platform)
def test_frames_equal_those_drawn_as_a_whole(session, shots, platform):
    """Also where the fixed camera's picture is drawn only in part."""
    rng = np.random.default_rng([*session.seeds, 3 + platform.number])
    sensor, setting = draw_sensor(rng, platform), session.setting
    for index, shot in enumerate(shots[platform]):
        time_s = index / FRAME_RATE
        bodies = [actor.capsules for actor in session.actors_at(time_s)]
        camera = setting.camera_at(platform, time_s)
        picture = draw(camera, FRAME, bodies, setting.scene.surroundings, setting.light, samples=SAMPLES)
        plain = develop(np.pad(picture.radiance, ((2, 2), (2, 2), (0, 0)), mode="edge"), sensor, rng)
        assert (plain == shot.pixels).all()


def test_times_and_cameras_are_those_of_the_session(session, shots):
    for platform, frames in shots.items():
        assert [shot.truth.index for shot in frames] == [0, 1]
        assert [shot.truth.time_s for shot in frames] == [0.0, 0.25]
        camera, told = session.setting.camera_at(platform, 0.25), frames[1].truth.camera
        assert told.position == pytest.approx(camera.position, abs=1e-3)
        assert np.array(told.axes) == pytest.approx(camera.axes, abs=1e-5)
        assert told.focal_px == pytest.approx(camera.focal_px, abs=1e-2)


def test_the_share_of_a_person_at_the_edge_is_that_of_the_whole_person(session, shots):
    actor = session.actors_at(0.0)[0]
    (person,) = [person for person in shots[Platform.GROUND][0].truth.people if person.pid == actor.pid]
    left, _, right, _ = person.box
    assert left < FRAME.width < right
    setting, beyond = session.setting, math.ceil(right - FRAME.width)
    wide = draw(
        setting.ground_camera,
        FRAME.padded(beyond),
        [actor.capsules],
        setting.scene.surroundings,
        setting.light,
        samples=1,
    )
    inside = (wide.body[:, :-beyond] == 0).sum()
    assert 0.05 < person.visible < 0.95
    assert person.visible == pytest.approx(inside / wide.alone[0], abs=0.03)
