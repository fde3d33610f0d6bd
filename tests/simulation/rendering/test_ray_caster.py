"""Drawn crops against a slow loop over rays and against areas known by formula."""

import dataclasses
import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skyreid.simulation.rendering.camera import Window, look_at
from skyreid.simulation.rendering.capsules import Capsule, place
from skyreid.simulation.rendering.light import Light, draw_light
from skyreid.simulation.rendering.paint import Paint
from skyreid.simulation.rendering.ray_caster import draw
from skyreid.simulation.rendering.surroundings import Block, Surroundings
from skyreid.simulation.scenes import SCENES
from tests.simulation.rendering.flat_shapes import is_in_block, plain
from tests.simulation.rendering.slow_shapes import depth_inside, first_inside

PLAIN = plain(0.3, 0.25, 0.2)
OPEN_GROUND = Surroundings(ground=PLAIN)
SUNNY = Light(sun_azimuth_rad=2.0, sun_elevation_rad=0.9, sun=(0.9, 0.8, 0.7), sky=(0.3, 0.35, 0.4))
THIRD_PART = [
    Capsule(
        start=(-0.9, -0.9, 0.3),
        end=(-1.0, -0.8, 0.9),
        start_radius=0.2,
        end_radius=0.15,
        paint=Paint((0.5, 0.5, 0.1)),
    )
]
RED, BLUE = Paint((0.6, 0.1, 0.1)), Paint((0.1, 0.1, 0.6))
TWO_PARTS = [
    Capsule(start=(0.0, 0.0, 0.15), end=(0.0, 0.1, 0.9), start_radius=0.15, end_radius=0.25, paint=RED),
    Capsule(start=(0.2, -0.2, 0.5), end=(0.1, -0.3, 1.1), start_radius=0.1, end_radius=0.12, paint=BLUE),
]


GREEN = plain(0.1, 0.5, 0.1)
HUT = Block(x=-1.0, y=0.9, length=0.8, width=0.5, height=1.2, turn_rad=0.4, sides=GREEN, top=GREEN)


def gradient(part: Capsule, point: np.ndarray) -> np.ndarray:
    step = 1e-3 * np.eye(3)
    found = depth_inside(part, point - step) - depth_inside(part, point + step)
    return found / np.linalg.norm(found)


def first_in_hut(origin: np.ndarray, direction: np.ndarray, *, reach: float) -> float:
    steps = np.linspace(0.0, reach, 3001)
    inside = np.flatnonzero(is_in_block(HUT, origin + steps[:, None] * direction))
    return steps[inside[0]] if inside.size else np.inf


def hut_normal(point: np.ndarray) -> np.ndarray:
    cos, sin = math.cos(HUT.turn_rad), math.sin(HUT.turn_rad)
    sides = np.array([[cos, sin, 0], [-sin, cos, 0], [0.0, 0.0, 1.0]])
    place = sides @ (point - [HUT.x, HUT.y, HUT.height / 2]) / (HUT.length / 2, HUT.width / 2, HUT.height / 2)
    axis = int(np.argmax(np.abs(place)))
    return np.sign(place[axis]) * sides[axis]


def slow_radiance(origin: np.ndarray, direction: np.ndarray, light: Light) -> np.ndarray:
    """What comes along one ray, over open ground: nothing but formulas, rows of balls and small steps."""
    near = 2.0 * direction
    depths = [first_inside(part, origin + near, direction, reach=8.0) for part in (TWO_PARTS + THIRD_PART)]
    in_hut = first_in_hut(origin + near, direction, reach=8.0)
    sky = 1.0
    if min(depths) < in_hut:
        part = (TWO_PARTS + THIRD_PART)[int(np.argmin(depths))]
        point = origin + near + min(depths) * direction
        normal, colour = gradient(part, point), np.array(part.paint.colour)
    elif in_hut < math.inf:
        point = origin + near + in_hut * direction
        normal, colour = hut_normal(point), np.array(GREEN.colour)
        sky = 1 - 0.35 * math.exp(-2 * point[2]) if normal[2] == 0 else 1.0
    else:
        point = origin - origin[2] / direction[2] * direction
        normal, colour = np.array([0.0, 0.0, 1.0]), np.array(PLAIN.colour)
        hidden = 0.0
        for part in TWO_PARTS + THIRD_PART:
            middle = (np.array(part.start) + np.array(part.end)) / 2
            radius = (part.start_radius + part.end_radius) / 2
            apart, level = np.linalg.norm(middle - point), np.linalg.norm((middle - point)[:2])
            hidden += max(0.0, 1 - (level / 2.5) ** 2) * radius**2 * middle[2] / apart**3
        sky = hut_sky(point) / (1 + 0.9 * hidden)
    sun = max(0.0, float(normal @ light.direction))
    start = point + 0.004 * normal
    if sun > 0 and (
        any(first_inside(part, start, light.direction, reach=4.0) < math.inf for part in TWO_PARTS + THIRD_PART)
        or first_in_hut(start, light.direction, reach=4.0) < math.inf
    ):
        sun = 0.0
    ambient = sky * (0.25 + 0.75 * (0.5 + 0.5 * normal[2]))
    return colour * (sun * np.array(light.sun) + ambient * np.array(light.sky))


def hut_sky(point: np.ndarray) -> float:
    cos, sin = math.cos(HUT.turn_rad), math.sin(HUT.turn_rad)
    x, y = point[0] - HUT.x, point[1] - HUT.y
    apart = math.hypot(max(abs(cos * x + sin * y) - 0.4, 0), max(abs(cos * y - sin * x) - 0.25, 0))
    fading = max(0.0, 1 - (apart / 2.5) ** 2) * 1.7 / (1.7 + apart)
    return 1 - 0.5 * fading * (1 - apart / math.hypot(apart, HUT.height))


def test_a_tiny_scene_equals_a_slow_loop_over_rays():
    camera = look_at(np.array([4.0, -1.0, 3.5]), np.array([0.0, 0.0, 0.5]), focal_px=8.0)
    window = Window(left=-3, top=-3, width=5, height=5)
    place_of_hut = Surroundings(ground=PLAIN, blocks=(HUT,))
    picture = draw(camera, window, [place(TWO_PARTS), place(THIRD_PART)], place_of_hut, SUNNY, samples=2)
    expected = np.zeros((5, 5, 3))
    for row in range(10):
        for column in range(10):
            u, v = window.left + (column + 0.5) / 2, window.top + (row + 0.5) / 2
            direction = camera.axes[2] + (u * camera.axes[0] + v * camera.axes[1]) / camera.focal_px
            expected[row // 2, column // 2] += slow_radiance(camera.position, direction, SUNNY) / 4
    difference = np.abs(picture.radiance - expected).max(axis=2)
    # A ray that grazes an edge, of a solid or of a shadow, may fall on either side of it; and the shade round
    # feet is that of the middle of a pixel here.
    assert (difference > 0.02).sum() <= 3
    assert difference.max() < 0.15
    assert expected.std() > 0.05
    assert set(np.unique(picture.body)) == {-1, 0, 1}


def test_a_ball_covers_the_area_of_its_outline():
    ball = Capsule(start=(0.0, 0.0, 2.0), end=(0.0, 0.0, 2.0), start_radius=0.5, end_radius=0.5, paint=RED)
    camera = look_at(np.array([10.0, 0.0, 2.0]), np.array([0.0, 0.0, 2.0]), focal_px=300.0)
    window = Window(left=-20, top=-20, width=40, height=40)
    picture = draw(camera, window, [place([ball])], OPEN_GROUND, SUNNY, samples=4)
    radius_px = 300.0 * 0.5 / math.sqrt(10.0**2 - 0.5**2)
    assert picture.coverage(0).sum() == pytest.approx(math.pi * radius_px**2, rel=0.005)
    assert picture.coverage(0)[20, 20] == 1
    assert picture.coverage(0)[0, 0] == 0


def test_of_two_parts_on_a_ray_the_nearer_one_is_seen():
    def ball(x: float, paint: Paint) -> Capsule:
        return Capsule(start=(x, 0.0, 1.0), end=(x, 0.0, 1.0), start_radius=0.3, end_radius=0.3, paint=paint)

    camera = look_at(np.array([10.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), focal_px=100.0)
    window = Window(left=-1, top=-1, width=2, height=2)
    for parts in ([ball(0.0, RED), ball(1.0, BLUE)], [ball(1.0, BLUE), ball(0.0, RED)]):
        red, _, blue = draw(camera, window, [place(parts)], OPEN_GROUND, SUNNY, samples=1).radiance.mean(axis=(0, 1))
        assert blue > 2 * red


def test_a_larger_window_shows_the_same_pixels():
    camera = look_at(np.array([4.0, -1.0, 3.5]), np.array([0.0, 0.0, 0.5]), focal_px=40.0)
    window = Window(left=-8, top=-8, width=16, height=16)
    small, large = (
        draw(camera, chosen, [place(TWO_PARTS)], OPEN_GROUND, SUNNY, samples=2) for chosen in (window, window.padded(3))
    )
    assert np.array_equal(small.radiance, large.radiance[3:-3, 3:-3])


def test_above_the_horizon_is_sky_and_people_stand_before_it():
    camera = look_at(np.array([40.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), focal_px=400.0)
    window = Window(left=-6, top=-20, width=12, height=20)
    picture = draw(camera, window, [place(TWO_PARTS)], OPEN_GROUND, SUNNY, samples=2)
    sky = picture.radiance[:4].mean(axis=(0, 1))
    assert sky == pytest.approx(np.array(SUNNY.sky), rel=0.3)
    assert sky[2] > sky[0]
    assert picture.coverage(0)[:4].max() == 0
    assert picture.coverage(0).max() == 1


def test_folds_change_the_light_on_cloth_but_not_its_mean_by_much():
    creased = [dataclasses.replace(part, paint=dataclasses.replace(part.paint, fold=0.15)) for part in TWO_PARTS]
    camera = look_at(np.array([4.0, -1.0, 3.5]), np.array([0.0, 0.0, 0.5]), focal_px=200.0)
    window = Window(left=-30, top=-40, width=60, height=80)
    smooth, folded = (
        draw(camera, window, [place(parts)], OPEN_GROUND, SUNNY, samples=1) for parts in (TWO_PARTS, creased)
    )
    cloth = smooth.coverage(0) == 1
    assert np.abs(smooth.radiance[cloth] - folded.radiance[cloth]).max() > 0.02
    assert folded.radiance[cloth].mean() == pytest.approx(smooth.radiance[cloth].mean(), rel=0.05)
    assert np.array_equal(smooth.radiance[smooth.coverage(0) == 0], folded.radiance[smooth.coverage(0) == 0])


def test_the_hidden_body_is_counted_as_if_nothing_hid_it():
    camera = look_at(np.array([10.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), focal_px=200.0)
    window = Window(left=-20, top=-20, width=40, height=30)
    behind, before = place(TWO_PARTS), place(TWO_PARTS, x=2.0, y=0.1)
    both = draw(camera, window, [behind, before], OPEN_GROUND, SUNNY, samples=2)
    alone = draw(camera, window, [behind], OPEN_GROUND, SUNNY, samples=2)
    assert both.alone[0] == alone.alone[0] == (alone.body == 0).sum()
    assert 0 < (both.body == 0).sum() < 0.6 * both.alone[0]
    assert (both.body == 1).sum() == both.alone[1]
    assert both.coverage(0).sum() * 4 == pytest.approx((both.body == 0).sum())


def test_trees_hide_people_but_are_no_body():
    camera = look_at(np.array([10.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), focal_px=200.0)
    window = Window(left=-20, top=-20, width=40, height=30)
    wood = Surroundings(ground=PLAIN, growths=(place(TWO_PARTS, x=2.0),))
    picture = draw(camera, window, [place(TWO_PARTS)], wood, SUNNY, samples=1)
    assert set(np.unique(picture.body)) == {-1, 0}
    assert (picture.body == 0).sum() < 0.6 * picture.alone[0]


def test_an_empty_place_can_be_drawn():
    camera = look_at(np.array([4.0, -1.0, 3.5]), np.array([0.0, 0.0, 0.5]), focal_px=40.0)
    picture = draw(camera, Window(left=-4, top=-4, width=8, height=8), [], OPEN_GROUND, SUNNY, samples=2)
    assert picture.alone.shape == (0,)
    assert (picture.body == -1).all()
    level = np.array(SUNNY.sun) * SUNNY.direction[2] + np.array(SUNNY.sky)
    assert picture.radiance == pytest.approx(np.broadcast_to(PLAIN.colour * level, (8, 8, 3)), rel=1e-5)


def digest_of_a_park() -> str:
    scene = SCENES["park"](np.random.default_rng(3))
    camera = look_at(np.array([*scene.ground_camera, 2.0]), np.array([*scene.ground_target, 1.0]), focal_px=200.0)
    window = Window(left=-120, top=-60, width=240, height=100)
    light = draw_light(np.random.default_rng(4))
    picture = draw(camera, window, [place(TWO_PARTS)], scene.surroundings, light, samples=2)
    return hashlib.sha256(picture.radiance.tobytes() + picture.body.tobytes()).hexdigest()


def digest_in_a_new_process(**environment: str) -> str:
    code = "from tests.simulation.rendering.test_ray_caster import digest_of_a_park; print(digest_of_a_park())"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_another_process_draws_the_same_bytes():
    assert digest_in_a_new_process() == digest_of_a_park()


@pytest.mark.slow  # compiles everything anew
def test_loops_compiled_for_another_processor_draw_the_same_bytes():
    assert digest_in_a_new_process(NUMBA_CPU_NAME="generic") == digest_of_a_park()
