"""Shadows against trigonometry, and what hides what."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyreid.simulation.rendering.camera import Camera, Window, look_at
from skyreid.simulation.rendering.capsules import Capsule, join, parallel_boxes, place, stack
from skyreid.simulation.rendering.kernels.bins import sort_into_bins
from skyreid.simulation.rendering.kernels.hits import GROUND, SKY, nearest_hits, see_sun, seen_bodies
from skyreid.simulation.rendering.light import Light
from skyreid.simulation.rendering.paint import Paint
from skyreid.simulation.rendering.surroundings import Block, parallel_block_boxes, stack_blocks
from tests.simulation.rendering.flat_shapes import GREY

PAINT = Paint((0.5, 0.5, 0.5))
POLE = place([Capsule(start=(0.0, 0.0, 0.0), end=(0.0, 0.0, 1.5), start_radius=0.05, end_radius=0.05, paint=PAINT)])
WALL = Block(x=0.0, y=0.0, length=0.2, width=4.0, height=1.5, turn_rad=0.5, sides=GREY, top=GREY)


def sunlit_ground(light: Light, bodies: list, blocks: list[Block], away_m: np.ndarray) -> np.ndarray:
    """Which places on the ground see the sun, that far from the origin towards it; as seen from 3 m above."""
    standing, records = join(bodies), stack_blocks(blocks, [(0, 0)] * len(blocks))
    corners = np.array([block.corners() for block in blocks]).reshape(-1, 8, 3)
    boxes = np.concatenate([parallel_boxes(standing, light.axes[:2]), parallel_block_boxes(corners, light.axes[:2])])
    bins = sort_into_bins(boxes)
    towards = [math.cos(light.sun_azimuth_rad), math.sin(light.sun_azimuth_rad), 0.0]
    return see_sun(
        np.array([[0.0, 0.0, 3.0], towards, [0.0, 0.0, 0.0], [0.0, 0.0, -1.0]]),
        away_m / 3,
        np.zeros(1),
        np.full((1, away_m.size), 3.0, np.float32),
        np.full((1, away_m.size), GROUND, np.int32),
        stack(standing, [len(body.paints) for body in bodies]),
        records,
        light.axes,
        boxes,
        bins.grid,
        bins.first,
        bins.boxes,
    )[0]


@settings(max_examples=30, deadline=None)
@given(azimuth=st.floats(0, 6.2), elevation=st.floats(0.3, 1.2))
def test_the_shadow_of_a_pole_is_as_long_as_its_height_over_the_tangent(azimuth, elevation):
    light = Light(sun_azimuth_rad=azimuth, sun_elevation_rad=elevation, sun=(1.0, 1.0, 1.0), sky=(0.1, 0.1, 0.1))
    distances = np.linspace(0.1, 8.0, 1581)
    seen = sunlit_ground(light, [POLE], [], -distances)
    # The tip is round: the sun's ray that just passes it touches its ball.
    tip = 1.5 / math.tan(elevation) + 0.05 / math.sin(elevation)
    assert distances[~seen].max() == pytest.approx(tip, abs=0.02)
    assert not seen[distances < tip - 0.02].any()
    assert sunlit_ground(light, [POLE], [], distances).all()


@settings(max_examples=30, deadline=None)
@given(elevation=st.floats(0.3, 1.2))
def test_the_shadow_of_a_wall_is_as_wide_as_its_height_over_the_tangent(elevation):
    light = Light(sun_azimuth_rad=0.5, sun_elevation_rad=elevation, sun=(1.0, 1.0, 1.0), sky=(0.1, 0.1, 0.1))
    distances = np.linspace(0.12, 6.0, 300)
    seen = sunlit_ground(light, [], [WALL], -distances)
    assert distances[~seen].max() == pytest.approx(0.1 + 1.5 / math.tan(elevation), abs=0.03)
    assert sunlit_ground(light, [], [WALL], distances).all()


def hits(camera: Camera, window: Window, bodies: list, blocks: list[Block], num_bodies: int) -> tuple:
    parts = stack(join(bodies), [len(body.paints) for body in bodies])
    whole = np.tile([0, 0, window.width, window.height], (100, 1))
    records = stack_blocks(blocks, [(0, 0)] * len(blocks))
    grid = camera.sample_grid(window, 1)
    found = nearest_hits(camera.pinhole, *grid, parts, whole[: len(parts)], records, whole[: len(blocks)], num_bodies)
    return (*found, *seen_bodies(found[1], parts, num_bodies))


def ball(x: float, radius: float) -> Capsule:
    return Capsule(start=(x, 0.0, 2.0), end=(x, 0.0, 2.0), start_radius=radius, end_radius=radius, paint=PAINT)


def test_bodies_hide_each_other_and_count_what_they_would_show_alone():
    camera = look_at(np.array([-10.0, 0.0, 2.0]), np.array([0.0, 0.0, 2.0]), focal_px=100.0)
    window = Window(left=-12, top=-12, width=24, height=24)
    near, far, post = place([ball(0.0, 0.4), ball(0.0, 0.2)]), place([ball(3.0, 0.9)]), place([ball(-5.0, 0.1)])
    depth, met, alone, body, part = hits(camera, window, [near, far, post], [], 2)
    assert set(np.unique(met)) == {SKY, GROUND, 0, 2, 3}
    assert set(np.unique(body)) == {-1, 0, 1}
    assert (part[body == 0] == 0).all()
    only_near, only_far = (hits(camera, window, [one], [], 1) for one in (near, far))
    assert alone.tolist() == [int((only_near[3] == 0).sum()), int((only_far[3] == 0).sum())]
    assert (body == 0).sum() < alone[0]
    assert (body == 1).sum() < alone[1]
    assert depth[12, 12] == pytest.approx(4.9, abs=0.01)


def test_a_block_hides_what_is_behind_it_and_not_what_is_before_it():
    camera = look_at(np.array([-10.0, 0.0, 2.0]), np.array([0.0, 0.0, 2.0]), focal_px=100.0)
    window = Window(left=-12, top=-12, width=24, height=24)
    block = Block(x=0.0, y=0.0, length=1.0, width=20.0, height=9.0, sides=GREY, top=GREY)
    for x, is_seen in ((-2.0, True), (2.0, False)):
        depth, met, alone, body, _ = hits(camera, window, [place([ball(x, 0.5)])], [block], 1)
        assert (body == 0).any() == is_seen
        assert alone[0] > 20
        assert depth[met == 1] == pytest.approx(9.5)
    assert (met == 1).all()
