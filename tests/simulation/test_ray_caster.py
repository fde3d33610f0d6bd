"""Drawn crops against a slow loop over rays and against areas known by formula."""

import dataclasses
import math

import numpy as np
import pytest

from skyreid.simulation.camera import Window, look_at
from skyreid.simulation.capsules import Capsule, place
from skyreid.simulation.light import Light
from skyreid.simulation.paint import Paint
from skyreid.simulation.ray_caster import draw
from skyreid.simulation.surroundings import Surface, Surroundings
from tests.simulation.slow_shapes import depth_inside, first_inside

PLAIN = Surface(colour=(0.3, 0.25, 0.2), patch=(0.3, 0.25, 0.2), patch_m=1.0, grain=0.0, seed=1)
OPEN_GROUND = Surroundings(ground=PLAIN, verge=PLAIN, verge_azimuth_rad=0.0, verge_distance_m=400.0)
SUNNY = Light(sun_azimuth_rad=2.0, sun_elevation_rad=0.9, sun=(0.9, 0.8, 0.7), sky=(0.3, 0.35, 0.4))
RED, BLUE = Paint((0.6, 0.1, 0.1)), Paint((0.1, 0.1, 0.6))
TWO_PARTS = [
    Capsule(start=(0.0, 0.0, 0.15), end=(0.0, 0.1, 0.9), start_radius=0.15, end_radius=0.25, paint=RED),
    Capsule(start=(0.2, -0.2, 0.5), end=(0.1, -0.3, 1.1), start_radius=0.1, end_radius=0.12, paint=BLUE),
]


def gradient(part: Capsule, point: np.ndarray) -> np.ndarray:
    step = 1e-3 * np.eye(3)
    found = depth_inside(part, point - step) - depth_inside(part, point + step)
    return found / np.linalg.norm(found)


def slow_radiance(origin: np.ndarray, direction: np.ndarray, light: Light) -> np.ndarray:
    """What comes along one ray, over open ground: nothing but formulas and rows of balls."""
    near = 3.0 * direction
    depths = [first_inside(part, origin + near, direction, reach=6.0) for part in TWO_PARTS]
    sky = 1.0
    if min(depths) < math.inf:
        part = TWO_PARTS[int(np.argmin(depths))]
        point = origin + near + min(depths) * direction
        normal, colour = gradient(part, point), np.array(part.paint.colour)
    else:
        point = origin - origin[2] / direction[2] * direction
        normal, colour = np.array([0.0, 0.0, 1.0]), np.array(PLAIN.colour)
        for part in TWO_PARTS:
            middle = (np.array(part.start) + np.array(part.end)) / 2
            radius = (part.start_radius + part.end_radius) / 2
            apart = np.linalg.norm(middle - point)
            sky += 0.9 * radius**2 * middle[2] / apart**3
        sky = 1 / sky
    sun = max(0.0, float(normal @ light.direction))
    start = point + 0.004 * normal
    if sun > 0 and any(first_inside(part, start, light.direction, reach=4.0) < math.inf for part in TWO_PARTS):
        sun = 0.0
    ambient = sky * (0.25 + 0.75 * (0.5 + 0.5 * normal[2]))
    return colour * (sun * np.array(light.sun) + ambient * np.array(light.sky))


def test_a_tiny_scene_equals_a_slow_loop_over_rays():
    camera = look_at(np.array([4.0, -1.0, 3.5]), np.array([0.0, 0.0, 0.5]), focal_px=18.0)
    window = Window(left=-3, top=-4, width=6, height=8)
    picture = draw(camera, window, place(TWO_PARTS), OPEN_GROUND, SUNNY, samples=2)
    expected = np.zeros((8, 6, 3))
    for row in range(16):
        for column in range(12):
            u, v = window.left + (column + 0.5) / 2, window.top + (row + 0.5) / 2
            direction = camera.axes[2] + (u * camera.axes[0] + v * camera.axes[1]) / camera.focal_px
            expected[row // 2, column // 2] += slow_radiance(camera.position, direction, SUNNY) / 4
    difference = np.abs(picture.radiance - expected).max(axis=2)
    # A ray that grazes an edge, of the person or of the shadow, may fall on either side of it.
    assert (difference > 0.01).sum() <= 2
    assert difference.max() < 0.15
    assert expected.std() > 0.05


def test_a_ball_covers_the_area_of_its_outline():
    ball = Capsule(start=(0.0, 0.0, 2.0), end=(0.0, 0.0, 2.0), start_radius=0.5, end_radius=0.5, paint=RED)
    camera = look_at(np.array([10.0, 0.0, 2.0]), np.array([0.0, 0.0, 2.0]), focal_px=300.0)
    window = Window(left=-20, top=-20, width=40, height=40)
    picture = draw(camera, window, place([ball]), OPEN_GROUND, SUNNY, samples=4)
    radius_px = 300.0 * 0.5 / math.sqrt(10.0**2 - 0.5**2)
    assert picture.person.sum() == pytest.approx(math.pi * radius_px**2, rel=0.005)
    assert picture.person[20, 20] == 1
    assert picture.person[0, 0] == 0


def test_of_two_parts_on_a_ray_the_nearer_one_is_seen():
    def ball(x: float, paint: Paint) -> Capsule:
        return Capsule(start=(x, 0.0, 1.0), end=(x, 0.0, 1.0), start_radius=0.3, end_radius=0.3, paint=paint)

    camera = look_at(np.array([10.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), focal_px=100.0)
    window = Window(left=-1, top=-1, width=2, height=2)
    for parts in ([ball(0.0, RED), ball(1.0, BLUE)], [ball(1.0, BLUE), ball(0.0, RED)]):
        red, _, blue = draw(camera, window, place(parts), OPEN_GROUND, SUNNY, samples=1).radiance.mean(axis=(0, 1))
        assert blue > 2 * red


def test_a_larger_window_shows_the_same_pixels():
    camera = look_at(np.array([4.0, -1.0, 3.5]), np.array([0.0, 0.0, 0.5]), focal_px=40.0)
    window = Window(left=-8, top=-8, width=16, height=16)
    small, large = (
        draw(camera, chosen, place(TWO_PARTS), OPEN_GROUND, SUNNY, samples=2) for chosen in (window, window.padded(3))
    )
    assert np.array_equal(small.radiance, large.radiance[3:-3, 3:-3])


def test_above_the_horizon_is_sky():
    camera = look_at(np.array([4.0, 0.0, 1.0]), np.array([0.0, 0.0, 3.0]), focal_px=40.0)
    window = Window(left=30, top=-4, width=2, height=2)
    picture = draw(camera, window, place(TWO_PARTS), OPEN_GROUND, SUNNY, samples=2)
    assert picture.radiance == pytest.approx(np.broadcast_to(SUNNY.sky, (2, 2, 3)), rel=1e-5)


def test_folds_change_the_light_on_cloth_but_not_its_mean_by_much():
    creased = [dataclasses.replace(part, paint=dataclasses.replace(part.paint, fold=0.15)) for part in TWO_PARTS]
    camera = look_at(np.array([4.0, -1.0, 3.5]), np.array([0.0, 0.0, 0.5]), focal_px=200.0)
    window = Window(left=-30, top=-40, width=60, height=80)
    smooth, folded = (
        draw(camera, window, place(parts), OPEN_GROUND, SUNNY, samples=1) for parts in (TWO_PARTS, creased)
    )
    cloth = smooth.person == 1
    assert np.abs(smooth.radiance[cloth] - folded.radiance[cloth]).max() > 0.02
    assert folded.radiance[cloth].mean() == pytest.approx(smooth.radiance[cloth].mean(), rel=0.05)
    assert np.array_equal(smooth.radiance[smooth.person == 0], folded.radiance[smooth.person == 0])
